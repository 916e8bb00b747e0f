"""An event's effects are all stored or none, whatever they find in Redis."""

from __future__ import annotations

from typing import Any

import pytest

from feedback.kpis.effects import exchange_effects, feedback_effects
from feedback.store.keys import RedisKeys
from tests.feedback.applying import Applier, feedback
from tests.feedback.factory import exchange

KEYS = RedisKeys()
HELD = (KEYS.held_sessions, "session")
ODD = (
    "kpi:sum:version:v1", "kpi:sketch:arm:student", "kpi:places", "kpi:rows:default", "kpi:cohorts", "kpi:bytes",
    "kpi:days", "kpi:exposed:exp", "kpi:counters", "bus:jobs", "bus:jobs:payloads",
)  # fmt: skip


def dump(applier: Applier) -> dict[bytes, Any]:
    """All that Redis holds."""
    found = {}
    for key in applier.client.scan_iter("*"):
        kind = applier.client.type(key)
        found[key] = applier.client.hgetall(key) if kind == b"hash" else applier.client.dump(key)
    return found


def event(n: int) -> list[list[Any]]:
    given = exchange(n, arm="student", version="v1", experiment="exp")
    job = ["push", KEYS.jobs, KEYS.payloads, KEYS.counters, given.id, "{}", "1.000", 10, *HELD]
    return [["HINCRBY", KEYS.counters, "read", 1], *exchange_effects(KEYS, given), job]


@pytest.mark.parametrize("name", ODD)
def test_an_event_that_cannot_be_stored_to_its_end_leaves_nothing_behind(redis_url: str, name: str) -> None:
    applier = Applier(redis_url)
    applier.client.set(f"us:{name}", "of another type")
    before = dump(applier)
    applied, faulty, why = applier.commands([event(1)])
    assert (applied, faulty) == (0, 1)
    assert "WRONGTYPE" in why
    after = dump(applier)
    after.pop(KEYS.cursors.encode())
    assert after == before
    applier.client.delete(f"us:{name}")
    assert applier.commands([event(2)]) == (1, 0, "")


def test_those_before_the_faulty_one_are_stored_and_those_after_it_are_not(redis_url: str) -> None:
    applier = Applier(redis_url)
    applier.client.set("us:kpi:sum:version:odd", "of another type")
    batch = [exchange_effects(KEYS, exchange(n, version="odd" if n == 1 else "t1")) for n in range(3)]
    assert applier.commands(batch)[:2] == (1, 2)
    assert applier.kpis.by("arm")["teacher"]["requests"]["n"] == 1
    assert applier.client.hget("us:applied", "spool") == b"1"
    assert applier.client.hlen("us:kpi:places") == 3  # the number, and one place both ways: nothing of the faulty one
    applier.events([exchange(7, version="t2")])
    assert applier.kpis.cohorts("version").keys() == {"t1", "t2"}


def test_a_sum_that_is_none_or_overflows_is_refused_before_anything_is_written(redis_url: str) -> None:
    applier = Applier(redis_url)
    applier.client.hset("us:kpi:sum:version:v1", "rating:q", "none")
    assert "holds no number" in applier.commands([[["count", "us:kpi:sum:version:v1", {"rating": 2.0}]]])[2]
    for _ in range(2):
        answer = applier.commands([[["count", "us:kpi:sum:version:v2", {"a": 1.0, "rating": 1e200}]]])
        assert "cannot hold the sum" in answer[2]
    assert list(applier.client.scan_iter("us:kpi:sum:*")) == [b"us:kpi:sum:version:v1"]
    assert applier.client.hgetall("us:kpi:sum:version:v1") == {b"rating:q": b"none"}


def test_a_number_of_a_spool_counts_once(redis_url: str) -> None:
    applier = Applier(redis_url)
    applier.commands([event(1)])
    before = dump(applier)
    applier._number = 0
    assert applier.commands([event(1)]) == (0, 0, "")
    assert dump(applier) == before


@pytest.mark.parametrize("command", [["LPUSH", "odd", "x"], ["LTRIM", "odd", 0, 9], ["ZADD", "odd", 1, "x"]])
def test_a_command_that_would_fail_at_the_end_fails_before_anything_is_written(
    redis_url: str, command: list[Any]
) -> None:
    applier = Applier(redis_url)
    applier.client.hset("odd", "a", "hash")
    assert "WRONGTYPE" in applier.commands([[["HINCRBY", "a", "b", 1], command]])[2]
    assert applier.client.exists("a") == 0


def test_what_is_no_effect_is_refused(redis_url: str) -> None:
    applier = Applier(redis_url)
    assert "FLUSHALL is no effect" in applier.commands([[["HINCRBY", "a", "b", 1], ["FLUSHALL", "x"]]])[2]
    assert applier.client.exists("a") == 0


def test_a_full_queue_counts_those_staged_in_the_same_call(redis_url: str) -> None:
    applier = Applier(redis_url)
    jobs = [["push", KEYS.jobs, KEYS.payloads, KEYS.counters, f"j{n}", "{}", "1.000", 3, *HELD] for n in range(5)]
    applier.commands([[job] for job in (*jobs, jobs[0])])
    assert applier.client.zcard(KEYS.jobs) == 3
    assert applier.kpis.counters() == {"queue_full": 3, "queued": 3}


def test_values_keep_every_digit(redis_url: str) -> None:
    applier = Applier(redis_url)
    applier.events([exchange(n, seconds=0.1) for n in range(3)])
    assert float(applier.client.hget("us:kpi:sum:arm:teacher", "latency:s")) == 0.1 + 0.1 + 0.1
    applier.commands([feedback_effects(KEYS, feedback(1, 1 / 3, "resp-0", at=1.0))])
    assert float(applier.client.hget("us:kpi:sum:arm:teacher", "rating:s")) == 1 / 3
