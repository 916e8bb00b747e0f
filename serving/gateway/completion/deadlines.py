"""How long a request may take: what its client asks for, and what the configuration allows at most."""

from __future__ import annotations

import math

from understudy.errors import BadRequest

DEADLINE = b"x-understudy-deadline"
"""Header of a request: seconds, such as `2.5`."""
LONGEST = 86400.0


def deadline_of(asked: str, most: float | None) -> float | None:
    """Seconds within which a request must be over; None: it may take as long as its reply does.

    Raises:
        BadRequest: what the client asks for is no number of seconds.
    """
    if not asked:
        return most
    try:
        seconds = float(asked)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds <= LONGEST:
        raise BadRequest(
            f"`{DEADLINE.decode()}` must be a number of seconds above 0, up to {LONGEST:g}",
            param=DEADLINE.decode(), code="invalid_deadline",
        )  # fmt: skip
    return seconds if most is None else min(seconds, most)
