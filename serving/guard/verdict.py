"""What the guard may say of a request."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class GuardVerdict(StrEnum):
    """From harmless to worst; `worst` compares by that order."""

    ALLOW = "allow"
    FLAG = "flag"
    """Served, and kept from everything that learns."""
    DEGRADE = "degrade"
    """Answered by the pre-built reply; no model sees it."""


ORDER = {verdict: place for place, verdict in enumerate(GuardVerdict)}


class GuardJudgement(msgspec.Struct, frozen=True, gc=False):
    """The verdict, and by which stage and score it came about."""

    verdict: GuardVerdict = GuardVerdict.ALLOW
    stage: str = ""
    """Name of the stage that decided; empty where none had anything to say."""
    score: float = float("-inf")
    """Log-odds of an attack, the highest of all texts; minus infinity: nothing was scored."""
    threshold: float = float("inf")
    """That the score was held to."""
    partial: bool = False
    """Whether parts of a long text were not looked at."""
    again: bool = False
    """Whether it is degraded for texts alone that were degraded before, so that it counts no second time against the
    user; or for what is no doing of the user's."""


def worst(one: GuardJudgement, other: GuardJudgement) -> GuardJudgement:
    """The one that is worse, by verdict and then by score; partial where either is."""
    if (ORDER[one.verdict], one.score) > (ORDER[other.verdict], other.score):
        first, second = other, one
    else:
        first, second = one, other
    if second.partial or not first.partial:
        return second
    return msgspec.structs.replace(second, partial=True)
