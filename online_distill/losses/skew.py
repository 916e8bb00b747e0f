"""KL(teacher || mixture of both), finite wherever the teacher is (skew KL; Ko et al. 2024 name the teacher's share)."""

from __future__ import annotations

import torch
from torch import Tensor


def skewed(p: Tensor, q: Tensor, skew: float) -> Tensor:
    """Nats a row (n,) of log-buckets (n, k + 1); `skew` is the student's share in the mixture, in (0, 1)."""
    share = torch.tensor([skew, 1.0 - skew], dtype=p.dtype, device=p.device).log()
    return (p.exp() * (p - torch.logaddexp(q + share[0], p + share[1]))).sum(-1)
