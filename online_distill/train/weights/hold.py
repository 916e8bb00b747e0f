"""What replay's hidden states are held to: the parent's, at every layer and token of prompt and reply.

A reply's targets say something of a text at its reply tokens alone. Its states at all tokens say how the parent came
to them, and so more of what it must not unlearn (FitNets, Romero et al. 2015; against forgetting: PODNet, Douillard
et al. 2020).
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from online_distill import models


class Hold:
    """Keeps a copy of the model as it is when this is made; a strength of 0 keeps none."""

    def __init__(self, model: Any, strength: float) -> None:
        self._parent = copy.deepcopy(model).eval().requires_grad_(False) if strength else None

    def strayed(self, states: Sequence[Tensor], tokens: Tensor, lengths: Sequence[int]) -> Tensor:
        """How far `states` (n, length, d) after each layer are from the parent's on `tokens` (n, length).

        Squared distance over the parent's squared length, the mean over layers; 0 at the parent. Of each text its
        first tokens count, as many as `lengths` says; what follows is padding.
        """
        ends = torch.tensor(lengths, device=tokens.device)[:, None]
        real = torch.arange(tokens.shape[1], device=tokens.device) < ends
        with torch.no_grad():
            wanted = models.layer_states(self._parent, tokens)
        pairs = [(own[real].float(), its[real].float()) for own, its in zip(states, wanted, strict=True)]
        return torch.stack([(own - its).square().sum() / its.square().sum() for own, its in pairs]).mean()
