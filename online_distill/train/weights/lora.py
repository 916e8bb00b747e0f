"""Low-rank additions to the weights (LoRA, Hu et al. 2021), by peft: they alone learn, the parent's weights stay."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

BASE, DOWN, UP = "base_layer.", ".lora_A.default.weight", ".lora_B.default.weight"
SCALE = 2.0
"""Of the addition: alpha over rank, as is usual."""


class Lora:
    """Adds matrices of rank `rank` to each linear layer but the output's, which alone learn; a rank of 0 adds none.

    At the first step the additions are 0: one factor of each is. Needs peft (extra `import`) where `rank` is above 0.
    """

    def __init__(self, model: Any, rank: int) -> None:
        self._model = model
        if rank:
            from peft import LoraConfig, inject_adapter_in_model

            head = model.get_output_embeddings()
            layers = [n for n, m in model.named_modules() if isinstance(m, torch.nn.Linear) and m is not head]
            inject_adapter_in_model(LoraConfig(r=rank, lora_alpha=int(SCALE * rank), target_modules=layers), model)

    def weights(self) -> dict[str, Tensor]:
        """The model's weights under the names that they have without additions, the additions in them."""
        return merged(self._model.state_dict())


def merged(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Weights with their additions in them, under the names that they have without; others as they are."""
    found = {name.replace(BASE, ""): value for name, value in weights.items() if ".lora_" not in name}
    for name in weights:
        if name.endswith(DOWN):
            layer = name.removesuffix(DOWN)
            plain = found[f"{layer}.weight"]
            added = SCALE * (weights[layer + UP] @ weights[name])
            found[f"{layer}.weight"] = plain + added.to(plain.dtype)
    return found
