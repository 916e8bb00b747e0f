"""The truth about a model folder, by transformers, and variants of model folders."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

PROMPTS = ((11, 205, 77, 9, 300, 42, 8, 120), tuple(range(40, 120, 2)), (501, 502, 90, 90, 90, 17))


def own_logprobs(folder: Path, prompt: Sequence[int]) -> list[float]:
    """Log-probabilities of the prompt's tokens at positions 1..n-1, in float32."""
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    ids = torch.tensor([list(prompt)])
    with torch.no_grad():
        rows = model(ids).logits[0, :-1].log_softmax(-1)
    return [float(x) for x in rows.gather(-1, ids[0, 1:, None])[:, 0]]


def next_logprobs(folder: Path, prompt: Sequence[int]) -> list[float]:
    """Log-probabilities of every token after `prompt`."""
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    with torch.no_grad():
        return [float(x) for x in model(torch.tensor([list(prompt)])).logits[0, -1].log_softmax(-1)]


def variant(source: Path, target: Path, change: Callable[[dict[str, torch.Tensor]], None]) -> Path:
    """A copy of the model folder `source` with `change` applied to its tensors."""
    shutil.copytree(source, target, ignore=shutil.ignore_patterns("manifest.json", "READY", "fingerprint.json"))
    tensors = load_file(target / "model.safetensors")
    change(tensors)
    save_file(tensors, target / "model.safetensors", metadata={"format": "pt"})
    return target


def tied(source: Path, target: Path, scale: float) -> Path:
    """A copy with tied embeddings, scaled by `scale` so that two of them differ."""
    model = AutoModelForCausalLM.from_pretrained(source, dtype=torch.float32)
    model.config.tie_word_embeddings = True
    with torch.no_grad():
        model.model.embed_tokens.weight.mul_(scale)
    model.tie_weights()
    shutil.copytree(source, target, ignore=shutil.ignore_patterns("*.safetensors", "manifest.json", "READY"))
    model.save_pretrained(target)
    return target


def nearly(one: Sequence[float], other: Sequence[float], tolerance: float = 1e-3) -> bool:
    """Whether two rows of log-probabilities are the same to within `tolerance` nats."""
    return len(one) == len(other) and max(abs(a - b) for a, b in zip(one, other, strict=True)) < tolerance
