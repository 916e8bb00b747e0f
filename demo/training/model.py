"""Sizes of the demo models and the export of a plain folder that vLLM and transformers load."""

import json
from pathlib import Path
from typing import Literal

import torch
from transformers import GenerationConfig, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from demo.training.tokenizer import VOCAB

Size = Literal["teacher", "student"]
MAX_POSITIONS = 1024
# Head size 64 is one that vLLM's CPU attention supports.
SIZES: dict[Size, dict[str, int]] = {
    "teacher": {"hidden_size": 256, "num_hidden_layers": 8, "intermediate_size": 704, "num_attention_heads": 4},
    "student": {"hidden_size": 192, "num_hidden_layers": 4, "intermediate_size": 512, "num_attention_heads": 3},
}


def config(size: Size, tokenizer: PreTrainedTokenizerFast) -> LlamaConfig:
    """Llama of the given size. Embeddings stay untied, as those of every export."""
    return LlamaConfig(
        vocab_size=VOCAB,
        head_dim=64,
        num_key_value_heads=SIZES[size]["num_attention_heads"],
        max_position_embeddings=MAX_POSITIONS,
        tie_word_embeddings=False,
        rms_norm_eps=1e-5,
        rope_parameters={"rope_type": "default", "rope_theta": 10000.0},
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        **SIZES[size],
    )


def build(size: Size, tokenizer: PreTrainedTokenizerFast, seed: int) -> LlamaForCausalLM:
    """A randomly initialised model in float32."""
    torch.manual_seed(seed)
    return LlamaForCausalLM(config(size, tokenizer))


def parameters(model: torch.nn.Module) -> int:
    """Number of parameters."""
    return sum(p.numel() for p in model.parameters())


def export(model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, folder: Path) -> None:
    """Write weights (bf16), configuration, generation settings, tokenizer and chat template to `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    copy = LlamaForCausalLM(model.config)
    copy.load_state_dict(model.state_dict())
    copy.to(torch.bfloat16).save_pretrained(folder, safe_serialization=True)
    # Greedy unless a request says otherwise; the temperature 0 would be refused by transformers when it saves.
    GenerationConfig(
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        do_sample=True,
        top_k=1,
    ).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    stored = json.loads((folder / "config.json").read_text())
    if stored.get("tie_word_embeddings"):
        raise ValueError(f"{folder}: embeddings must stay untied")
