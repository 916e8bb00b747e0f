"""Which samples form which step: a pure function of seed and step, so that a resumed run sees the same."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

from online_distill.models import by_length
from online_distill.teacher.targets import Scored
from online_distill.train.recipe import Recipe

JITTER = 12.0
"""Tokens by which lengths are blurred before they are grouped, so that batches differ from epoch to epoch."""
REPLAY_WEIGHT = 1.0
"""Rows of this weight or less are replay; hard ones weigh more."""

Step = tuple[int, list[int]]
"""Number and indices of samples."""


def is_replay(item: Scored) -> bool:
    """Whether a row is one that the student can do and must keep."""
    return item.weight <= REPLAY_WEIGHT


def counted(item: Scored, recipe: Recipe) -> float:
    """How much a row counts: by its own weight, and replay by the recipe's as well."""
    return item.weight * (recipe.replay_weight if is_replay(item) else 1.0)


def epoch_batches(lengths: Sequence[int], batch_tokens: int, seed: int | str, epoch: int) -> list[list[int]]:
    """Indices of one epoch in shuffled batches of similar length; each sample exactly once."""
    rng = random.Random(f"{seed}/{epoch}")
    blurred = [int(length + rng.uniform(0, JITTER)) for length in lengths]
    batches = list(by_length(blurred, batch_tokens))
    rng.shuffle(batches)
    return batches


def steps_from(lengths: Sequence[int], batch_tokens: int, seed: int | str, first: int = 0) -> Iterator[Step]:
    """(step, indices) for step `first`, `first` + 1, ... without end."""
    step, epoch = 0, 0
    while True:
        batches = epoch_batches(lengths, batch_tokens, seed, epoch)
        for offset, batch in enumerate(batches):
            if step + offset >= first:
                yield step + offset, batch
        step, epoch = step + len(batches), epoch + 1


def parts_of(items: Sequence[Scored], replay_share: float) -> list[tuple[float, list[int]]]:
    """(share of a step's tokens, indices) of what a step is put together from: all rows, or new ones and replay."""
    replay = [index for index, item in enumerate(items) if is_replay(item)]
    new = [index for index, item in enumerate(items) if not is_replay(item)]
    if not replay_share or not replay or not new:
        return [(1.0, list(range(len(items))))]
    return [(1.0 - replay_share, new), (replay_share, replay)]


def steps_of(items: Sequence[Scored], recipe: Recipe, first: int = 0) -> Iterator[Step]:
    """(step, indices) from step `first` on, without end, each with the recipe's share of replay.

    New rows and replay go through epochs of their own, so that the mix does not follow how many there are of each.
    """
    streams = [
        _stream(items, chosen, round(recipe.batch_tokens * share), f"{recipe.seed}/replay" if n else recipe.seed, first)
        for n, (share, chosen) in enumerate(parts_of(items, recipe.replay_share))
    ]
    for together in zip(*streams, strict=True):
        yield together[0][0], [index for _, batch in together for index in batch]


def _stream(
    items: Sequence[Scored], chosen: list[int], batch_tokens: int, seed: int | str, first: int
) -> Iterator[Step]:
    for step, batch in steps_from([len(items[i].tokens) for i in chosen], batch_tokens, seed, first):
        yield step, [chosen[i] for i in batch]


def epoch_tokens(items: Sequence[Scored], recipe: Recipe) -> tuple[float, float]:
    """Tokens (of prompts and replies) in one epoch of the rows that are to be learned, and in a step of it."""
    share, chosen = parts_of(items, recipe.replay_share)[0]
    lengths = [len(items[index].tokens) for index in chosen]
    steps = len(epoch_batches(lengths, round(recipe.batch_tokens * share), recipe.seed, 0))
    return sum(lengths) / share, sum(lengths) / share / steps


def mean_weight(items: Sequence[Scored], recipe: Recipe) -> float:
    """Weight of a reply token on average, as the steps mix them."""
    total = 0.0
    for share, chosen in parts_of(items, recipe.replay_share):
        rows = sum(len(items[i].top.ids) for i in chosen)
        total += share * sum(counted(items[i], recipe) * len(items[i].top.ids) for i in chosen) / rows
    return total
