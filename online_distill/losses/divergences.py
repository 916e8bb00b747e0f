"""The choice of a divergence: a module for each, and the temperature that acts on all alike."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from online_distill.losses.forward import forward
from online_distill.losses.js import js
from online_distill.losses.kinds import Divergence
from online_distill.losses.reverse import reverse
from online_distill.losses.skew import skewed

DIVERGENCES: dict[Divergence, Callable[[Tensor, Tensor, float], Tensor]] = {
    "forward": forward,
    "reverse": reverse,
    "js": js,
    "skew": skewed,
}
"""(teacher's log-buckets, student's log-buckets, share of the student in `skew`) -> nats a row, differentiable."""


def divergence(
    teacher: Tensor, student: Tensor, kind: Divergence, temperature: float = 1.0, skew: float = 0.1
) -> Tensor:
    """Divergence of log-buckets (n, k + 1) each, in nats a row (n,), differentiable.

    The temperature acts on the buckets of both sides (b^(1/T), renormalised), because the tail's mass at
    another temperature cannot be known from the top k; T^2 stands outside, as usual (Hinton et al. 2015).
    """
    if temperature == 1.0:
        return DIVERGENCES[kind](teacher, student, skew)
    p = torch.log_softmax(teacher / temperature, dim=-1)
    q = torch.log_softmax(student / temperature, dim=-1)
    return DIVERGENCES[kind](p, q, skew) * temperature**2
