"""Small models as strangers bring them: random weights by transformers, a tokenizer learned from a few sentences."""

from __future__ import annotations

import hashlib
import json
from functools import cache
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, pre_tokenizers, trainers
from tokenizers.models import BPE
from transformers import GemmaForCausalLM, LlamaForCausalLM, MixtralForCausalLM

CHATML = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
TEXT = [
    "Hello, where is my order 4711? It was shipped on May 3.", "I would like a refund of 20 euros, please.",
    "您好，我的订单什么时候发货？", "The warehouse sends it today, and it arrives on Friday.",
]  # fmt: skip
ROWS = 384


@cache
def learned() -> str:
    """tokenizer.json of a byte-level BPE."""
    tokenizer = Tokenizer(BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=320, special_tokens=SPECIAL, initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(TEXT, trainer)
    return str(tokenizer.to_str())


def tokenizer_files(folder: Path, template: str | None = CHATML) -> None:
    """Write the tokenizer of a model folder; the template lies in tokenizer_config.json, as older folders have it."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "tokenizer.json").write_text(learned())
    settings = {"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": "<|im_end|>", "pad_token": "<|endoftext|>"}
    if template is not None:
        settings["chat_template"] = template
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))


def tiny(
    folder: Path, *, seed: int = 0, layers: int = 6, shard: str = "50GB", dtype: Any = None,
    family: Any = LlamaForCausalLM, **more: Any,
) -> Path:  # fmt: skip
    """A model of random weights in `folder`, a llama unless another family's class is given."""
    settings: dict[str, Any] = {
        "vocab_size": ROWS, "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": layers,
        "num_attention_heads": 2, "num_key_value_heads": 1, "max_position_embeddings": 1024,
        "bos_token_id": 0, "eos_token_id": 2, "pad_token_id": 0, "tie_word_embeddings": True,
    }  # fmt: skip
    torch.manual_seed(seed)
    model = family(family.config_class(**{**settings, **more}))
    with torch.no_grad():  # livelier than transformers begins, so that models differ by more than rounding
        for name, value in model.named_parameters():
            value.mul_(4.0 if value.ndim > 1 else 1.0)
            if name.endswith(".bias"):
                value.normal_()
    model.to(dtype or torch.bfloat16).save_pretrained(folder, max_shard_size=shard)
    tokenizer_files(folder)
    return folder


def untaught(folder: Path, why: str) -> Path:
    """A model that serves and cannot learn: `tied`, its head stays the embeddings; `renamed`, its file names others."""
    if why == "tied":
        return tiny(folder, layers=3, family=GemmaForCausalLM, head_dim=32)
    experts: dict[str, Any] = {"num_local_experts": 2, "num_experts_per_tok": 1, "tie_word_embeddings": False}
    return tiny(folder, layers=3, family=MixtralForCausalLM, **experts)


def settings_of(folder: Path) -> dict[str, Any]:
    """Its config.json."""
    return dict(json.loads((folder / "config.json").read_text()))


def change_settings(folder: Path, **changes: Any) -> None:
    """Write other values into its config.json."""
    (folder / "config.json").write_text(json.dumps({**settings_of(folder), **changes}))


def content(folder: Path) -> dict[str, str]:
    """SHA-256 in hex of each file of a folder, by name."""
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}
