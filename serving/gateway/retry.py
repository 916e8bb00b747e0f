"""How often a request may be asked again of the other arm: a share of all requests, with a small reserve."""

from __future__ import annotations

RESERVE = 10.0
"""Fallbacks that may happen at once; what quiet traffic saves up is bounded by it."""


class RetryBudget:
    """A bucket of fallbacks: each request adds `share`, each fallback takes one."""

    def __init__(self, share: float) -> None:
        self._share = share
        self._left = RESERVE if share > 0 else 0.0

    def earn(self) -> None:
        """Count a request."""
        self._left = min(RESERVE, self._left + self._share)

    def take(self) -> bool:
        """Whether one more fallback is allowed; counts it if so."""
        if self._left < 1:
            return False
        self._left -= 1
        return True
