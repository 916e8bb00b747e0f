"""The benchmark of a flood: what is sent, what breaks a promise, and a run that is stopped and goes on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench.breaker import main as flood
from bench.breaker import telling
from bench.breaker.breakdown import FloodRun
from bench.breaker.judging import compliant
from bench.breaker.load import Answered, drive
from bench.breaker.traffic import LONGEST, Due, schedule
from bench.page import table
from serving.gateway.degraded.reply import degraded_reply
from serving.gateway.degraded.shape import shape_of
from serving.guard.model.linear import LinearModel
from serving.guard.verdict import GuardVerdict
from trials.guard.judging import guard_of, judge_text
from understudy.errors import UsageError


class Stopped(Exception):
    """Somebody pulls the plug."""


def test_a_stopped_run_goes_on_and_measures_no_pair_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[tuple[float, float, int]] = []
    stops = [Stopped]

    def measured(seconds: float, attacks: float, seed: int) -> FloodRun:
        if len(made) == 3 and stops:
            raise stops.pop()
        made.append((seconds, attacks, seed))
        due = Due(0.0, b"", "u", bool(attacks), False)
        normal = Answered(Due(0.0, b"", "u", False, False), 0.07 if attacks else 0.06, 200, "", False)
        return FloodRun.of([Answered(due, 0.01 + seed / 1000, 200, "guard" if attacks else "", True), normal], 0.01, 1)

    monkeypatch.setattr(flood, "measured", measured)
    asked = ["--requests", "3000", "--runs", "3", "--json", str(tmp_path / "breaker.json")]
    with pytest.raises(Stopped):
        flood.main(asked)
    assert flood.main(asked) == 0
    whole, half = [(20.0, 50.0), (20.0, 0.0)], (20.0, 50.0)
    assert [one[2] for one in made] == [0, 0, 1, 1, 1, 2, 2]
    assert [one[:2] for one in made] == [*whole, half, *whole, *whole]
    told = json.loads((tmp_path / "breaker.json").read_text("utf-8"))
    assert [pair["run"] for pair in told["pairs"]] == [0, 1, 2]
    assert told["degraded"]["n"] == 3
    assert told["degraded"]["p50_ms"] == 11.0
    assert told["normal"]["ratio"] == pytest.approx(7 / 6)
    page = telling.page(told, table)
    assert "| first bytes above 200 ms, of degraded replies / of all attacks | 0 / 0 | at most 1: met |" in page
    assert "1.17 | at most 1.5: met |" in page
    assert "3,000 attacks" in page
    assert "in the runs without the flood 0 of 6 normal requests did" in page
    assert "Real engines" not in page
    real = {**told, "pairs": told["pairs"][:1]}
    assert "who has no reply after 60 s has failed" in telling.page({**told, "real": real}, table)
    before = list(made)
    assert flood.main(asked) == 0  # all is there: nothing is measured
    assert made == before
    with pytest.raises(UsageError, match="other settings"):
        flood.main([*asked, "--runs", "2"])


def test_the_plan_says_how_long_what_is_left_takes() -> None:
    assert flood.plan(120.0, 5, 0, real=False).endswith("about 21 minutes")
    assert flood.plan(120.0, 5, 4, real=True).endswith("about 8 minutes")
    assert "4 of them there already" in flood.plan(120.0, 5, 4, real=True)


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


def test_the_guard_degrades_most_attacks_so_that_it_is_degraded_replies_that_are_timed() -> None:
    guard = guard_of(LinearModel.load())
    texts = [json.loads(due.body)["messages"][0]["content"] for due in schedule(8.0, 5.0, 2.0, seed=2) if due.attack]
    degraded = sum(judge_text(guard, text) is GuardVerdict.DEGRADE for text in texts)
    assert degraded > len(texts) / 2


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
