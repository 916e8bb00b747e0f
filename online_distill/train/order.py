"""Which samples form which step: a pure function of seed and step, so that a resumed run sees the same."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

from online_distill.models import by_length

JITTER = 12.0
"""Tokens by which lengths are blurred before they are grouped, so that batches differ from epoch to epoch."""


def epoch_batches(lengths: Sequence[int], batch_tokens: int, seed: int, epoch: int) -> list[list[int]]:
    """Indices of one epoch in shuffled batches of similar length; each sample exactly once."""
    rng = random.Random(f"{seed}/{epoch}")
    blurred = [int(length + rng.uniform(0, JITTER)) for length in lengths]
    batches = list(by_length(blurred, batch_tokens))
    rng.shuffle(batches)
    return batches


def steps_from(lengths: Sequence[int], batch_tokens: int, seed: int, first: int = 0) -> Iterator[tuple[int, list[int]]]:
    """(step, indices) for step `first`, `first` + 1, ... without end."""
    step, epoch = 0, 0
    while True:
        batches = epoch_batches(lengths, batch_tokens, seed, epoch)
        for offset, batch in enumerate(batches):
            if step + offset >= first:
                yield step + offset, batch
        step, epoch = step + len(batches), epoch + 1
