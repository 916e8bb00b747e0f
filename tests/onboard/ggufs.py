"""Tiny GGUF files, written by the gguf package as llama.cpp's converter writes them."""

from __future__ import annotations

import io
import json
from functools import cache
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import sentencepiece
from safetensors.torch import load_file

from tests.onboard.models import CHATML, ROWS, SPECIAL, TEXT, learned, settings_of

NAMES = {
    "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
    "self_attn.q_norm": "attn_q_norm", "self_attn.k_norm": "attn_k_norm", "self_attn.qkv_proj": "attn_qkv",
    "self_attn.o_proj": "attn_output", "mlp.gate_up_proj": "ffn_up", "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down",
    "input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm",
}  # fmt: skip
WHOLE = {"model.embed_tokens.weight": "token_embd.weight", "model.norm.weight": "output_norm.weight"}
NORMAL, UNKNOWN, CONTROL, BYTE = 1, 2, 3, 6


def write(source: Path, out: Path, packed: gguf.GGMLQuantizationType, pre: str = "gpt-2", **changes: Any) -> Path:
    """The llama, qwen2, qwen3 or phi3 in the folder `source` as a GGUF.

    `changes` replace tokens, merges, template, architecture or kind.

    `parts` says that the file is the first of so many, `without` names a tensor that it lacks, `width` is a length of
    the feed-forward layers that its tensors do not have, `more` are names and lengths of further tensors.
    With `kind` llama the tokenizer is that of `pieces`, whose scores, types, space before a text and merges (it needs
    none) may be changed, too.
    """
    settings = settings_of(source)
    writer = gguf.GGUFWriter(str(out), changes.get("architecture", settings["model_type"]))
    writer.add_name("tiny")
    writer.add_block_count(settings["num_hidden_layers"])
    writer.add_context_length(settings["max_position_embeddings"])
    writer.add_embedding_length(settings["hidden_size"])
    writer.add_feed_forward_length(changes.get("width", settings["intermediate_size"]))
    writer.add_head_count(settings["num_attention_heads"])
    writer.add_head_count_kv(settings["num_key_value_heads"])
    width = settings.get("head_dim") or settings["hidden_size"] // settings["num_attention_heads"]
    writer.add_rope_dimension_count(width)
    writer.add_key_length(width)
    writer.add_value_length(width)
    writer.add_layer_norm_rms_eps(settings["rms_norm_eps"])
    writer.add_rope_freq_base(settings["rope_parameters"]["rope_theta"])
    writer.add_vocab_size(settings["vocab_size"])
    (_scored if changes.get("kind") == "llama" else _ranked)(writer, settings["vocab_size"], pre, changes)
    if (parts := changes.get("parts")) is not None:
        writer.add_uint16("split.no", 0)
        writer.add_uint16("split.count", parts)
    if (template := changes.get("template", CHATML)) is not None:
        writer.add_chat_template(template)
    for name, tensor in load_file(source / "model.safetensors").items():
        _tensor(writer, name, tensor.float().numpy(), settings, packed, changes.get("without"))
    for name, length in changes.get("more", {}).items():
        writer.add_tensor(name, np.ones(length, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return out


@cache
def pieces() -> Any:
    """A SentencePiece model of byte pairs with a token for each byte, as many rows as the models here have."""
    out = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(TEXT * 3), model_writer=out, model_type="bpe", vocab_size=ROWS, byte_fallback=True,
        normalization_rule_name="identity", remove_extra_whitespaces=False, allow_whitespace_only_pieces=True,
        control_symbols=SPECIAL[1:], num_threads=1, minloglevel=2,
    )  # fmt: skip
    return sentencepiece.SentencePieceProcessor(model_proto=out.getvalue())


def _scored(writer: gguf.GGUFWriter, rows: int, pre: str, changes: dict[str, Any]) -> None:
    model, numbers = pieces(), range(rows)
    kinds = [UNKNOWN if model.is_unknown(i) else BYTE if model.is_byte(i) else CONTROL if model.is_control(i)
             else NORMAL for i in numbers]  # fmt: skip
    writer.add_tokenizer_model("llama")
    writer.add_tokenizer_pre("default")
    writer.add_token_list(changes.get("tokens", [model.id_to_piece(i) for i in numbers]))
    writer.add_token_scores(changes.get("scores", [model.get_score(i) for i in numbers]))
    writer.add_token_types(changes.get("types", kinds))
    writer.add_unk_token_id(0)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    if "merges" in changes:
        writer.add_token_merges(changes["merges"])
    if (before := changes.get("add_space_prefix")) is not None:
        writer.add_add_space_prefix(before)


def _ranked(writer: gguf.GGUFWriter, rows: int, pre: str, changes: dict[str, Any]) -> None:
    model = json.loads(learned())["model"]
    tokens = sorted(model["vocab"], key=model["vocab"].get)
    tokens += [f"<unused{i}>" for i in range(rows - len(tokens))]
    writer.add_tokenizer_model(changes.get("kind", "gpt2"))
    writer.add_tokenizer_pre(pre)
    writer.add_token_list(changes.get("tokens", tokens))
    writer.add_token_types([CONTROL if token in SPECIAL else NORMAL for token in tokens])
    writer.add_token_merges(changes.get("merges", [" ".join(pair) for pair in model["merges"]]))
    writer.add_bos_token_id(0)
    writer.add_eos_token_id(2)


def _tensor(
    writer: gguf.GGUFWriter, name: str, value: Any, settings: dict[str, Any], packed: Any, without: str | None
) -> None:
    if name in WHOLE:
        new = WHOLE[name]
    else:
        _, _, layer, rest = name.split(".", 3)
        part, kind = rest.rsplit(".", 1)
        new = f"blk.{layer}.{NAMES[part]}.{kind}"
    if new == without:
        return
    for part, heads in (("attn_q", "num_attention_heads"), ("attn_k", "num_key_value_heads")):
        if (
            f".{part}." in new and settings["model_type"] == "llama"
        ):  # llama.cpp keeps the two halves of each rotary pair side by side
            n = settings[heads]
            halves = value.reshape(n, 2, value.shape[0] // n // 2, *value.shape[1:])
            value = np.ascontiguousarray(halves.swapaxes(1, 2).reshape(value.shape))
    numbers = gguf.GGMLQuantizationType.F32 if value.ndim == 1 else packed
    writer.add_tensor(new, gguf.quants.quantize(value, numbers), raw_dtype=numbers)
