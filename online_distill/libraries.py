"""What weights are a function of beside recipe, parent and targets: who did the arithmetic."""

from __future__ import annotations

import platform
from typing import Any

import numpy as np
import torch
import transformers

from online_distill.models import pick_numbers


def libraries(device: torch.device | None = None) -> dict[str, Any]:
    """Versions of the libraries, and the instructions or the GPU that they compute with, as strings."""
    found = {
        "python": platform.python_version(), "torch": torch.__version__,
        "transformers": transformers.__version__, "numpy": np.__version__,
        "cpu": f"{platform.machine()} {torch.backends.cpu.get_cpu_capability()}",
        "numbers": str(pick_numbers(device or torch.device("cpu"))).removeprefix("torch."),
    }  # fmt: skip
    if device is not None and device.type == "cuda":
        found["gpu"] = torch.cuda.get_device_name(device)
    return found
