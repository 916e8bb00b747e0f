"""A pull towards the parent's weights, apart from the gradient (L2-SP, Xuhong et al. 2018, decoupled as in AdamW)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


class Pull:
    """Moves weights back towards where they stood when this was made; a strength of 0 keeps no copy of them."""

    def __init__(self, model: Any, strength: float) -> None:
        self._strength = strength
        self._weights: list[Tensor] = list(model.parameters()) if strength else []
        self._parent = [weight.detach().clone() for weight in self._weights]

    def apply(self, rate: float) -> None:
        """One step at the learning rate `rate`: a share of `strength` x `rate` of the way back, at most all of it."""
        if self._weights:
            with torch.no_grad():
                torch._foreach_lerp_(self._weights, self._parent, min(1.0, self._strength * rate))
