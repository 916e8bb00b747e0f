"""How work that takes long says how far it is."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[float, float, str], None]
"""(done, total, note). May raise to end the work, which must then be able to go on later."""


def silent(done: float, total: float, note: str) -> None:
    """Tell nobody."""
