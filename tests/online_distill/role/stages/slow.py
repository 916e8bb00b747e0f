"""A teacher that takes its time by its own clock."""

from __future__ import annotations

from collections.abc import Sequence

from online_distill.data.encoding import Encoded
from online_distill.role.context import Context
from online_distill.teacher.local import LocalScorer
from online_distill.teacher.targets import TopK


class SlowScorer:
    """A teacher that takes `seconds` of its own clock, `now`, for each text."""

    def __init__(self, context: Context, seconds: float) -> None:
        self._teacher = LocalScorer(context.registry.path("t1"))
        self._seconds = seconds
        self.now = 0.0

    def score(self, texts: Sequence[Encoded]) -> list[TopK]:
        self.now += self._seconds * len(texts)
        return self._teacher.score(texts)

    def close(self) -> None:
        """Nothing to give back."""
