"""Which pairs are of kinds that the first of two could do: on them a loss must not hide behind a win elsewhere. Pure.

Half of all traffic by hash holds what is new as well, and there every candidate wins. To leave out the pairs that the
parent got wrong would leave nothing that could be won: each one that changes by chance would count as lost. So no pair
is chosen by what was seen of itself. Pairs are split in two halves by the hash of their name, and a pair counts where
its kind was mostly right in the other half (sample splitting, Cox 1975, Biometrika 62). Given the kind, the two halves
are independent, and a candidate that is as good as the parent wins on the chosen pairs as often as it loses. Kinds with
too few pairs in a half are pooled.

What this rests on: pairs of a kind (a cluster of prompts) are alike in what makes them hard. Where a kind holds both
what is known and what is not, its wins offset its losses still, as over all pairs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from understudy.ids import unit_fraction

LEAST: Final = 3
"""Pairs of a kind in each half, below which it is pooled with others of the kind."""
POOL: Final = ""


@dataclass(frozen=True, slots=True)
class Seen:
    """The first answer of one pair: by which hash it falls into a half, what it is like, whether it was right."""

    name: str
    kind: str
    right: bool


def in_known_kinds(seen: Sequence[Seen], share: float) -> list[bool]:
    """For each pair whether at least `share` of its kind were right in the other half.

    A half of the pool without any pair says nothing against the other one.
    """
    halves = [unit_fraction("known", one.name) < 0.5 for one in seen]
    sizes = Counter((one.kind, half) for one, half in zip(seen, halves, strict=True))
    kinds = [one.kind if min(sizes[one.kind, True], sizes[one.kind, False]) >= LEAST else POOL for one in seen]
    total = Counter(zip(kinds, halves, strict=True))
    right = Counter((k, half) for one, k, half in zip(seen, kinds, halves, strict=True) if one.right)
    return [right[kind, not half] >= share * total[kind, not half] for kind, half in zip(kinds, halves, strict=True)]
