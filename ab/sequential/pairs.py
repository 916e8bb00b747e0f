"""Paired shadow: two replies to one prompt, judged by their difference, over distinct units. Pure.

What a prompt does to both replies is not in their difference, so far fewer prompts say as much as where each version
answers prompts of its own. Pairs of one user are no independent observations, so their sums by user are what is judged.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from ab.sequential.bounds import ConfidenceSequence, Interval
from ab.sequential.effects import Effect, Side, above, combined, returned

DISCORDANT = 20
"""Pairs whose two replies are judged differently before anything is said: all others say the same of both."""
PairsVerdict = Literal["better", "worse", "open", "too few"]


@dataclass(frozen=True, slots=True)
class PairedUnits:
    """Units of one phase that have pairs: of each the differences, new less old, and what either reply got, over pairs.

    `differing`: pairs in which the two got something else; in `ahead` of them the new one got more.
    """

    difference: Side
    old: Side = field(default_factory=Side)
    new: Side = field(default_factory=Side)
    differing: int = 0
    ahead: int = 0


@dataclass(frozen=True, slots=True)
class PairsFinding:
    """What the pairs of all phases say.

    `split`: how many times as many prompts a split test needs for an interval as narrow; NaN where nothing differs.
    """

    prompts: int
    units: int
    differing: int
    ahead: int
    effect: Effect
    always: Interval
    verdict: PairsVerdict
    split: float


def paired(phases: Sequence[PairedUnits], alpha: float, planned: int) -> PairsFinding:
    """At level 1 - `alpha` for all looks together, two-sided, tuned to `planned` units; more is better."""
    parts = [above(one.difference, 0.0) for one in phases]
    whole = combined(parts, returned([part.n for part in parts]))
    always = ConfidenceSequence(alpha, planned).around(whole.value, whole.error, whole.n)
    differing = sum(one.differing for one in phases)
    verdict: PairsVerdict = "better" if always.lower > 0 else "worse" if always.upper < 0 else "open"
    if differing < DISCORDANT or not whole.error > 0:
        verdict = "too few"
    prompts = sum(round(float(one.difference.moments.mean[1]) * one.difference.n) for one in phases)
    return PairsFinding(
        prompts, whole.n, differing, sum(one.ahead for one in phases), whole, always, verdict, _split(phases)
    )


def _split(phases: Sequence[PairedUnits]) -> float:
    """Each prompt answered by both varies by the difference; half of the prompts each, by both figures, and twice."""
    whole = (sum(sides, Side()) for sides in zip(*((p.difference, p.old, p.new) for p in phases), strict=True))
    spread = [side.variance if side.n > 1 else 0.0 for side in whole]
    return 2 * (spread[1] + spread[2]) / spread[0] if spread and spread[0] > 0 else float("nan")
