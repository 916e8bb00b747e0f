"""Samples in memory in the place of the pool's, for rounds without a Redis."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from feedback.events import HardSample


class SampleList:
    """What came so far, in its order; implements the trainer's `Source`, which it gives the latest."""

    def __init__(self, hard: Iterable[HardSample] = (), anchors: Iterable[HardSample] = ()) -> None:
        self.came, self.general = list(hard), list(anchors)

    def hard(self, n: int) -> Sequence[HardSample]:
        """The latest `n` of the pool."""
        return self.came[max(0, len(self.came) - n) :]

    def fresh(self, position: int, student: str) -> Sequence[HardSample]:
        """Those after `position` of which `student` failed a check."""
        return [one for one in self.came[position:] if one.student == student and one.failed_checks]

    def anchors(self, n: int) -> Sequence[HardSample]:
        """The latest `n` general ones."""
        return self.general[max(0, len(self.general) - n) :]

    def position(self) -> int:
        """How many came."""
        return len(self.came)

    def fresh_since(self, position: int, student: str, enough: int) -> int:
        """How many `fresh` gives."""
        return len(self.fresh(position, student))

    def purged(self) -> Mapping[str, float]:
        """No tenant ever was."""
        return {}
