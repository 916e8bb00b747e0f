"""A teacher of somebody else that scores: what it costs is counted, and learning stops at the cap of the day."""

from __future__ import annotations

from collections.abc import Sequence

from feedback.store.spending import Spending
from online_distill.data.encoding import Encoded
from online_distill.teacher.scorer import Scorer
from online_distill.teacher.targets import TopK
from understudy.errors import Unavailable


def check(spending: Spending) -> None:
    """Let learning go on.

    Raises:
        Unavailable: the tokens of today are spent.
    """
    if spending.over():
        raise Unavailable(f"{spending.cap} tokens of today (UTC) are spent; learning goes on tomorrow")


class MeteredScorer:
    """`Scorer` before another one."""

    def __init__(self, scorer: Scorer, spending: Spending) -> None:
        self._scorer, self._spending = scorer, spending

    def score(self, texts: Sequence[Encoded]) -> list[TopK]:
        """See `Scorer.score`.

        Raises:
            Unavailable: the tokens of today are spent; the round goes on tomorrow.
        """
        check(self._spending)
        found = self._scorer.score(texts)
        self._spending.add("scoring", sum(len(text.tokens) + 1 for text in texts))
        return found

    def close(self) -> None:
        """See `Scorer.close`."""
        self._scorer.close()
