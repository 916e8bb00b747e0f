"""The moving average of the weights over the steps (EMA), which a run may give in place of the last ones."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


class Average:
    """Keeps `decay` of itself at each step and takes the rest from the model; a decay of 0 keeps nothing.

    Its first steps keep less, (n + 1) / (n + 10) after n of them, so that a short run is not all its parent.
    """

    def __init__(self, model: Any, decay: float) -> None:
        self._decay, self._model, self._steps = decay, model, 0
        self._values: dict[str, Tensor] = {}
        if decay:
            self._values = {name: value.detach().clone() for name, value in model.state_dict().items()}

    def update(self) -> None:
        """Take in the weights as they are now."""
        if not self._values:
            return
        decay = min(self._decay, (self._steps + 1) / (self._steps + 10))
        now = self._model.state_dict()
        with torch.no_grad():
            for name, value in self._values.items():
                value.lerp_(now[name].to(value.dtype), 1.0 - decay)
        self._steps += 1

    def state(self) -> dict[str, Any] | None:
        """What a checkpoint holds of it; None where nothing is kept."""
        return {"steps": self._steps, "weights": self._values} if self._values else None

    def load_state(self, state: dict[str, Any] | None) -> None:
        """Go on where a checkpoint stood."""
        if state is not None:
            self._steps = state["steps"]
            for name, value in state["weights"].items():
                self._values[name].copy_(value)

    def weights(self) -> dict[str, Tensor]:
        """The average; empty where nothing is kept."""
        return self._values
