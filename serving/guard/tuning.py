"""Thresholds by which no more than a share of harmless texts is caught. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from serving.guard.cascade import Guard, GuardedText, ScoringModel, Thresholds

DEGRADED_SHARE = 0.1
"""Of the flagged share that may be degraded: harmless requests that are only flagged are served all the same."""
FEWEST_CAUGHT = 10
"""Texts above a threshold from which on it says something; with fewer it hangs on single texts."""


@dataclass(frozen=True, slots=True)
class Tuned:
    """Thresholds, and what each would catch of the texts; `degrade` None: there are too few texts to say."""

    texts: int
    flag: float
    degrade: float | None
    flagged: int
    degraded: int


def scores(model: ScoringModel, texts: Iterable[str]) -> list[float]:
    """Log-odds of each text that differs, as the cascade finds them: codes decoded, hidden words counted."""
    guard = Guard(model, Thresholds(math.inf, math.inf), remembered=0)
    return [guard.judge([GuardedText(text)]).score for text in dict.fromkeys(texts) if text.strip()]


def tuned(found: Sequence[float], share: float) -> Tuned | None:
    """The lowest thresholds that flag at most `share` of harmless texts with these scores; None: they are too few."""
    ordered = sorted(found, reverse=True)
    flagged, degraded = int(share * len(ordered)), int(DEGRADED_SHARE * share * len(ordered))
    if flagged < FEWEST_CAUGHT:
        return None
    flag = _above(ordered, flagged)
    degrade = max(flag, _above(ordered, degraded)) if degraded >= FEWEST_CAUGHT else None
    caught = [sum(score >= limit for score in ordered) for limit in (flag, math.inf if degrade is None else degrade)]
    return Tuned(len(ordered), flag, degrade, *caught)


def needed(share: float) -> int:
    """Texts from which on `tuned` says something."""
    return math.ceil(FEWEST_CAUGHT / share)


def _above(ordered: Sequence[float], most: int) -> float:
    """The lowest threshold of four decimals that no more than `most` of the scores reach."""
    return math.floor(ordered[most] * 1e4 + 1) / 1e4
