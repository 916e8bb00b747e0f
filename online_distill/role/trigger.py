"""When a round begins: pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Situation:
    """What the decision looks at."""

    fresh: int
    """Hard samples since the last round's."""
    requested: str | None
    """Reason that somebody gave for asking for a round; None: nobody asked."""
    frozen: bool
    """Whether learning is frozen."""
    parent: str | None
    """Version that would be the parent; None: no student yet."""


def reason_to_begin(now: Situation, min_fresh: int) -> str | None:
    """Why a round begins now; None when it does not."""
    if now.frozen or now.parent is None:
        return None
    if now.requested is not None:
        return now.requested or "asked for"
    if now.fresh >= min_fresh:
        return f"{now.fresh} fresh hard samples"
    return None
