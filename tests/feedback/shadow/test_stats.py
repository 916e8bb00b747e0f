"""What views read of the workers' doings."""

from __future__ import annotations

from typing import Any

from feedback.events import Verdict
from feedback.shadow.stats import Stats
from feedback.store.connection import connect
from feedback.store.keys import RedisKeys

KEYS = RedisKeys()


def verdict(n: int, **changes: Any) -> Verdict:
    given: dict[str, Any] = {
        "id": f"v{n}", "session": "s", "at": float(n), "exchange": f"e{n}", "teacher": "t1", "student": "v1",
        "similarity": n / 10,
    }  # fmt: skip
    return Verdict(**(given | changes))


def test_the_latest_verdicts_come_first_and_only_those_of_a_student_when_asked(redis_url: str) -> None:
    client = connect(redis_url)
    for n in range(6):
        client.lpush(KEYS.verdicts, verdict(n, student="v2" if n % 3 == 0 else "v1").model_dump_json())
    stats = Stats(client)
    assert [v.id for v in stats.recent_verdicts(2)] == ["v5", "v4"]
    assert [v.id for v in stats.recent_verdicts(2, student="v2")] == ["v3", "v0"]
    assert stats.recent_verdicts(9, student="v3") == []


def test_verdicts_that_an_older_worker_left_are_shown_too(redis_url: str) -> None:
    client = connect(redis_url)
    old = (
        verdict(5)
        .model_dump_json()
        .replace("similarity", "agreement")
        .replace('"schema_version":3', '"schema_version":1')
    )
    client.lpush(KEYS.verdicts, old)
    assert [v.similarity for v in Stats(client).recent_verdicts()] == [0.5]


def test_lag_is_summed_over_partitions_and_nothing_is_no_lag(redis_url: str) -> None:
    client = connect(redis_url)
    assert (Stats(client).lag(), Stats(client).waiting()) == (0, 0)
    client.hset(KEYS.lag, mapping={"understudy.exchanges:0": 3, "understudy.kpis:1": 4})
    client.zadd(KEYS.jobs, {"a": 1.0, "b": 2.0})
    assert (Stats(client).lag(), Stats(client).waiting()) == (7, 2)
