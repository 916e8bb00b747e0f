"""Which rows of targets can be learned from: the others are left out one by one, and counted by what is wrong."""

from __future__ import annotations

import torch
from torch import Tensor

EXCESS = 1e-2
"""By which the probabilities of k tokens may add up to more than 1: the noise of half precision."""

FAULTS = ("not a number", "an id beyond the vocabulary", "an id twice", "more than 1 in all")
"""What can be wrong with a row; `faults` numbers them from 1."""


def faults(ids: Tensor, logprobs: Tensor, vocabulary: int) -> Tensor:
    """For each row 0, or 1 + the place in `FAULTS` of the first thing wrong with it: (n,) int64.

    ids: (n, k); logprobs: (n, k), of which -inf is no fault: a token that the teacher rules out.
    """
    broken = (torch.isnan(logprobs) | (logprobs == float("inf"))).any(-1)
    beyond = ((ids < 0) | (ids >= vocabulary)).any(-1)
    ordered = ids.sort(-1).values
    twice = (ordered[..., 1:] == ordered[..., :-1]).any(-1)
    excess = logprobs.double().exp().sum(-1) > 1.0 + EXCESS
    found = torch.zeros(len(ids), dtype=torch.int64, device=ids.device)
    for number, wrong in reversed(list(enumerate((broken, beyond, twice, excess), start=1))):
        found = torch.where(wrong, number, found)
    return found


def require_tail(k: int, vocabulary: int) -> None:
    """Refuse targets that leave no token for the tail.

    Raises:
        ValueError: k tokens are the whole vocabulary, or more.
    """
    if k >= vocabulary:
        raise ValueError(
            f"targets of {k} tokens a row leave no tail in a vocabulary of {vocabulary}: set trainer.top_k below it"
        )
