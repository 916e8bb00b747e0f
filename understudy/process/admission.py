"""How many connections clients may have open: in all, and from one address."""

from __future__ import annotations

from collections import Counter


class Admission:
    """Counts connections, and those that were refused; only the event loop touches it."""

    __slots__ = ("_each", "_most", "_of", "open", "refused")

    def __init__(self, most: int, each: int) -> None:
        """`most`: in all; `each`: from one address."""
        self._most = most
        self._each = each
        self._of: Counter[str] = Counter()
        self.open = 0
        self.refused = 0

    def enter(self, address: str) -> bool:
        """Whether there is room for one more; it counts from then on, until it leaves."""
        if self.open >= self._most or self._of[address] >= self._each:
            self.refused += 1
            return False
        self.open += 1
        self._of[address] += 1
        return True

    def leave(self, address: str) -> None:
        """One that was let in is gone."""
        self.open -= 1
        self._of[address] -= 1
        if not self._of[address]:
            del self._of[address]
