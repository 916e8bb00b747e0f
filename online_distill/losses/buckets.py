"""What a top-k teacher can say of a distribution: k tokens and one tail bucket, as log-probabilities."""

from __future__ import annotations

import torch
from torch import Tensor

TAIL_FLOOR = 2e-5
"""Noise of the engine's log-probabilities, measured; a reverse KL would be infinite at a tail of 0."""


def teacher_buckets(logprobs: Tensor) -> Tensor:
    """Log-probabilities of k tokens (n, k) -> of k + 1 buckets (n, k + 1), floored tail, summing to 1."""
    top = logprobs.float() if logprobs.dtype in (torch.float16, torch.bfloat16) else logprobs
    tail = (1.0 - top.exp().sum(-1, keepdim=True)).clamp_min(TAIL_FLOOR)
    return torch.log_softmax(torch.cat([top, tail.log()], dim=-1), dim=-1)


def student_buckets(logits: Tensor, ids: Tensor) -> Tensor:
    """Logits (n, V) and token ids (n, k) -> log-probabilities of k tokens and tail (n, k + 1).

    The tail is a logsumexp of its own: one minus the sum would lose it in float32.
    """
    top = logits.gather(-1, ids)
    tail = logits.scatter(-1, ids, float("-inf")).logsumexp(-1, keepdim=True)
    return torch.cat([top, tail], dim=-1) - logits.logsumexp(-1, keepdim=True)
