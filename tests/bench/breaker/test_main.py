"""The figures of a flood, from what came of each request."""

from __future__ import annotations

import pytest

from bench.breaker.judging import compliant
from bench.breaker.load import Answered, drive
from bench.breaker.main import figures, quantile, rows
from bench.breaker.traffic import LONGEST, Due, schedule
from serving.gateway.degraded.reply import degraded_reply
from serving.gateway.degraded.shape import shape_of


def answered(attack: bool, seconds: float, degraded: str = "", good: bool = True, status: int = 200) -> Answered:
    return Answered(Due(0.0, b"", "u", attack, False), seconds, status, degraded, good)


def test_the_report_counts_what_came_late_what_was_wrong_and_what_normal_requests_noticed() -> None:
    flood = [
        answered(True, 0.01, "guard"), answered(True, 0.3, "breaker"), answered(True, 0.02, "guard", good=False),
        answered(True, 0.06), answered(False, 0.09), answered(False, 0.05, "guard"), answered(True, 60.0, status=0),
    ]  # fmt: skip
    calm = [answered(False, 0.06)]
    found = figures([((flood, 0.05), (calm, 0.01))])
    assert found["degraded"]["n"] == 4
    assert found["degraded"]["above_200_ms"] == 1
    assert found["degraded"]["causes"] == {"guard": 3, "breaker": 1}
    assert (found["attacks"], found["attacks_served"], found["violations"], found["failed"]) == (5, 2, 1, 1)
    assert found["normal_degraded"] == 1
    assert found["normal"]["ratio"] == pytest.approx(1.5)
    assert found["longest_pause_ms"] == {"with_flood": 50.0, "without_flood": 10.0}
    assert len(rows({**found, "load": 1.0})) == 7


def test_quantiles_of_few_values_are_values() -> None:
    assert [quantile([], 0.5), quantile([3.0], 0.99), quantile([1.0, 2.0], 0.5)] == [0.0, 3.0, 2.0]


def test_the_schedule_is_the_same_again_and_its_attacks_are_of_any_length() -> None:
    made = schedule(40.0, 5.0, 2.0, seed=1)
    assert made == schedule(40.0, 5.0, 2.0, seed=1)
    assert [due.at for due in made] == sorted(due.at for due in made)
    attacks = [due for due in made if due.attack]
    assert 120 < len(attacks) < 280
    assert 40 < len(made) - len(attacks) < 120
    lengths = [len(due.body) for due in attacks]
    assert min(lengths) < 5_000
    assert max(lengths) > 25_000
    assert max(len(due.body.decode()) for due in attacks) < 1.2 * LONGEST + 500
    assert len({due.body for due in attacks}) == len(attacks)
    assert not any(due.attack for due in schedule(10.0, 0.0, 2.0, seed=1))


@pytest.mark.parametrize("stream", [False, True])
def test_a_reply_that_breaks_a_promise_is_seen(stream: bool) -> None:
    raw = b'{"stream":true}' if stream else b"{}"
    body = degraded_reply(shape_of(raw, True), "guard", "en", "0", 1, "m").body
    headers = {"x-understudy-degraded": "guard"}
    assert compliant(200, headers, body, stream)
    assert not compliant(503, headers, body, stream)
    assert not compliant(200, {}, body, stream)
    assert not compliant(200, headers | {"x-understudy-arm": "teacher"}, body, stream)
    assert not compliant(200, headers, body.replace(b"content_filter", b"stop"), stream)
    assert not compliant(200, headers, body[:-20], stream)
    assert not compliant(200, headers, b"oops", stream)


async def test_nobody_there_is_a_failed_request() -> None:
    (found,) = await drive(1, [Due(0.0, b"{}", "u", False, False)])
    assert found.status == 0
