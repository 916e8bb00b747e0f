"""Scoring by somebody else's teacher: counted, and stopped at the cap of the day."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import redis

from feedback.store.keys import RedisKeys
from feedback.store.spending import Spending
from online_distill.data.encoding import Encoded
from online_distill.teacher.metered import MeteredScorer
from online_distill.teacher.targets import TopK
from understudy.errors import Unavailable


class Likes:
    """Scores everything alike."""

    closed = False

    def score(self, texts: Sequence[Encoded]) -> list[TopK]:
        return [TopK(np.zeros((1, 1), np.int32), np.zeros((1, 1), np.float32)) for _ in texts]

    def close(self) -> None:
        self.closed = True


def test_learning_stops_at_the_cap_and_what_it_cost_is_told(redis_url: str) -> None:
    passed, inner = 0.0, Likes()
    spending = Spending(redis.Redis.from_url(redis_url), RedisKeys("us:"), 10, lambda: 0.0, lambda: passed)
    scorer = MeteredScorer(inner, spending)
    texts = [Encoded([1, 2, 3, 4], 2), Encoded([1, 2, 3, 4], 2)]
    assert len(scorer.score(texts)) == 2
    assert spending.today()["scoring"] == 10
    passed += 1.0
    with pytest.raises(Unavailable, match="learning goes on tomorrow"):
        scorer.score(texts)
    scorer.close()
    assert inner.closed
