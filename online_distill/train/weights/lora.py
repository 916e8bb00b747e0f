"""Low-rank additions to the weights (LoRA, Hu et al. 2021), by peft: they alone learn, the parent's weights stay."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

BASE, NAME = "base_layer.", "default"
SCALE = 2.0
"""Of the addition: alpha over rank, as is usual."""


class Lora:
    """Adds matrices of rank `rank` to each linear layer but the output's, which alone learn; a rank of 0 adds none.

    At the first step the additions are 0: one factor of each is. Needs peft (extra `import`) where `rank` is above 0.
    """

    def __init__(self, model: Any, rank: int) -> None:
        self._model, self._rank = model, rank
        if rank:
            from peft import LoraConfig, inject_adapter_in_model

            head = model.get_output_embeddings()
            layers = [n for n, m in model.named_modules() if isinstance(m, torch.nn.Linear) and m is not head]
            inject_adapter_in_model(LoraConfig(r=rank, lora_alpha=int(SCALE * rank), target_modules=layers), model)

    def weights(self) -> dict[str, Tensor]:
        """The model's weights under the names that they have without additions, the additions in them."""
        found: dict[str, Tensor] = self._model.state_dict()
        if not self._rank:
            return found
        merged = {name.replace(BASE, ""): value for name, value in found.items() if ".lora_" not in name}
        with torch.no_grad():
            for name, module in self._model.named_modules():
                if hasattr(module, "lora_A"):
                    weight = merged[f"{name}.weight"]
                    merged[f"{name}.weight"] = weight + module.get_delta_weight(NAME).to(weight.dtype)
        return merged
