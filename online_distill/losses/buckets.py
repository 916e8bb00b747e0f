"""What a top-k teacher can say of a distribution: k tokens and one tail bucket, as log-probabilities."""

from __future__ import annotations

import torch
from torch import Tensor

from online_distill.losses.usable import require_tail

TAIL_FLOOR = 2e-5
"""Noise of the engine's log-probabilities, measured; a reverse KL would be infinite at a tail of 0."""

RULED_OUT = -80.0
"""Log-probability of a token that the teacher rules out (-inf): 0 times infinity would be no number."""


def teacher_buckets(logprobs: Tensor) -> Tensor:
    """Log-probabilities of k tokens (n, k) -> of k + 1 buckets (n, k + 1), floored tail, summing to 1.

    A row with NaN stays one with NaN, and no other row has a part in it.
    """
    top = logprobs.float() if logprobs.dtype in (torch.float16, torch.bfloat16) else logprobs
    top = top.clamp_min(RULED_OUT)
    tail = (1.0 - top.exp().sum(-1, keepdim=True)).clamp_min(TAIL_FLOOR)
    return torch.log_softmax(torch.cat([top, tail.log()], dim=-1), dim=-1)


def student_buckets(logits: Tensor, ids: Tensor) -> Tensor:
    """Logits (n, V) and token ids (n, k) -> log-probabilities of k tokens and tail (n, k + 1).

    The tail is a logsumexp of its own: one minus the sum would lose it in float32.

    Raises:
        ValueError: k is the whole vocabulary, so that there is no tail.
    """
    require_tail(ids.shape[-1], logits.shape[-1])
    top = logits.gather(-1, ids)
    tail = logits.scatter(-1, ids, float("-inf")).logsumexp(-1, keepdim=True)
    return torch.cat([top, tail], dim=-1) - logits.logsumexp(-1, keepdim=True)
