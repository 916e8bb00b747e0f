"""A variant of a model: its weights moved by seeded noise, so that its replies tell it from the original."""

from __future__ import annotations

import shutil
from pathlib import Path

from deploy.engines.fingerprint import FINGERPRINT_FILE

NOISE = 0.25
"""Standard deviation of the noise, as a share of each weight: with less, some greedy replies stay the original's."""
NOT_COPIED = ("manifest.json", "READY", FINGERPRINT_FILE)


def make_variant(source: Path, target: Path, seed: int) -> Path:
    """Copy the model folder `source` to `target` with every matrix moved by noise; returns `target`, unregistered."""
    import torch  # house: allow heavy-import, only benchmarks and tests come here
    from safetensors.torch import load_file, save_file

    shutil.copytree(source, target, ignore=shutil.ignore_patterns(*NOT_COPIED), copy_function=shutil.copyfile)
    generator = torch.Generator().manual_seed(seed)
    tensors = load_file(target / "model.safetensors")
    for name, tensor in tensors.items():
        if tensor.ndim == 2:
            factor = 1 + NOISE * torch.randn(tensor.shape, generator=generator)
            tensors[name] = (tensor.float() * factor).to(tensor.dtype)
    save_file(tensors, target / "model.safetensors", metadata={"format": "pt"})
    return target
