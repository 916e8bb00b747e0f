"""Jensen-Shannon divergence: symmetric, and never above ln 2 (Lin 1991)."""

from __future__ import annotations

import torch
from torch import Tensor


def js(p: Tensor, q: Tensor, skew: float) -> Tensor:
    """Nats a row (n,) of log-buckets (n, k + 1); `skew` has no part in it."""
    middle = torch.logaddexp(p, q) - torch.log(torch.tensor(2.0, dtype=p.dtype))
    return 0.5 * (p.exp() * (p - middle)).sum(-1) + 0.5 * (q.exp() * (q - middle)).sum(-1)
