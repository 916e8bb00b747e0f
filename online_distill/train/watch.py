"""Whether a run still learns: a judgement of its losses alone, so that it is the same when repeated."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean
from typing import Literal

PATIENCE = 4
"""Steps in succession without a finite gradient, after which a run is lost."""
WINDOW = 8
"""Steps over which a loss is averaged: one batch of hard texts says nothing."""
GROWTH, NATS = 2.0, 1.0
"""A run is lost when its loss is above its parent's times `GROWTH` plus `NATS` a token."""

Outlook = Literal["well", "doubtful", "lost"]
"""`doubtful`: not lost, yet nothing to come back to; no checkpoint is written then."""


def verdict(losses: Sequence[float], parent: float) -> Outlook:
    """Judge the losses of all steps so far beside the `parent`'s on the first of these texts, in nats a token.

    A loss that is not finite is that of a skipped step.
    """
    skipped = next((n for n, loss in enumerate(reversed(losses)) if math.isfinite(loss)), len(losses))
    if skipped:
        return "lost" if skipped >= PATIENCE else "doubtful"
    taken = [loss for loss in losses[-4 * WINDOW :] if math.isfinite(loss)][-WINDOW:]
    if len(taken) < WINDOW:
        return "well"
    now, limit = fmean(taken), GROWTH * parent + NATS
    if now > limit:
        return "lost"
    return "doubtful" if now > (parent + limit) / 2 else "well"
