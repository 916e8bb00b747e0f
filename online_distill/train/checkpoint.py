"""What a killed run goes on from: one file, of one plan, whole or not at all."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from online_distill.train.weights.lora import merged
from understudy.files import sync_folder

CHECKPOINT = "checkpoint.pt"


def write_checkpoint(path: Path, plan: str, state: dict[str, Any]) -> None:
    """Write the state of a run of the plan with that digest."""
    draft = path.with_suffix(".draft")
    with draft.open("wb") as file:
        torch.save({"plan": plan, **state}, file)
        file.flush()
        # The bytes must be there before the name is: a checkpoint is all that a killed round has.
        os.fsync(file.fileno())
    draft.replace(path)
    sync_folder(path.parent)


def read_checkpoint(path: Path, plan: str, device: torch.device) -> dict[str, Any] | None:
    """The state in the file; None where there is none of this plan."""
    if not path.is_file():
        return None
    state: dict[str, Any] = torch.load(path, map_location=device, weights_only=True)
    return state if state["plan"] == plan else None


def trained_weights(path: Path) -> dict[str, Tensor]:
    """The weights that a run gives, on the CPU: the average where it kept one, else the last; additions are in them."""
    learner = torch.load(path, map_location="cpu", weights_only=True)["learner"]
    return merged(learner["average"]["weights"] if learner["average"] else learner["model"])


def weights_digest(weights: dict[str, Tensor]) -> str:
    """SHA-256 in hex over all weights by name: their names, types, shapes and bits."""
    sha = hashlib.sha256()
    for name in sorted(weights):
        value = weights[name].detach().cpu().contiguous()
        sha.update(f"{name}|{value.dtype}|{tuple(value.shape)}|".encode())
        sha.update(value.reshape(-1).view(torch.uint8).numpy().tobytes())
    return sha.hexdigest()
