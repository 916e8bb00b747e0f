"""Where an event of a session goes, and which topics refuse when they are full."""

from __future__ import annotations

from feedback.bus.protocol import partition_of, refuses_when_full
from feedback.events import DEAD_LETTER, EXCHANGES, EXPOSURES, KPIS, TOPICS


def test_sessions_keep_their_partition() -> None:
    places = {partition_of(f"s{i}", 4) for i in range(50)}
    assert places == {0, 1, 2, 3}
    assert [partition_of(name, 4) for name in ("会话-1", "", "s0")] == [0, 2, 3], "in every process and release"


def test_only_topics_that_a_worker_consumes_refuse_when_full() -> None:
    refusing = [topic for topic in (*TOPICS, EXCHANGES + DEAD_LETTER) if refuses_when_full(topic)]
    assert refusing == [EXCHANGES, EXPOSURES, KPIS]
