"""Figures from the traffic file, events between pictures, and both ways to show them."""

from __future__ import annotations

import io
import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from deploy.rounds.store import STAGES
from deploy.routing.document import EXTERNAL, SLOTS, Heartbeat, RoutingDocument, SlotView
from feedback.events import HARD_KINDS
from serving.up.show.changes import changes
from serving.up.show.figures import Figures, Slot, Stage, line
from serving.up.show.gateway_counts import Counts, GatewayTail, counts
from serving.up.show.live import with_document
from serving.up.show.traffic import TrafficTail
from serving.up.show.view import BAR, render
from tests.serving.up.server import served


def row(**more: object) -> dict[str, object]:
    base = {
        "t": 1.0, "end": 2.0, "family": "general", "session": "s1", "ok": True, "error": "",
        "truncated": False, "mixed": False, "arm": "student", "version": "v2", "fact": True,
        "reply": "您的订单明天到。",
    }  # fmt: skip
    return {**base, **more}


def test_the_traffic_file_is_counted_once_while_it_grows(tmp_path: Path) -> None:
    file = tmp_path / "traffic.jsonl"
    tail = TrafficTail(file)
    tail.read()
    text = (
        json.dumps(row(), ensure_ascii=False) + "\n" + json.dumps(row(family="drift", fact=False, session="s2")) + "\n"
    )
    file.write_bytes(text.encode()[:200])
    tail.read()
    file.write_bytes(text.encode())
    tail.read()
    tail.read()
    assert (tail.sent, tail.failed) == (2, 0)
    assert [tail.family(name) for name in ("s1", "s2", "s3")] == ["general", "drift", None]
    assert (tail.right("general"), tail.right("drift"), tail.right("other")) == (1.0, 0.0, None)


def test_failures_and_rows_that_are_no_json_are_told_apart(tmp_path: Path) -> None:
    file = tmp_path / "traffic.jsonl"
    file.write_text(json.dumps(row(ok=False, error="502", arm="")) + "\n{broken\n" + json.dumps(row(mixed=True)) + "\n")
    tail = TrafficTail(file)
    tail.read()
    assert (tail.sent, tail.failed, tail.mixed, tail.last_error) == (2, 1, 1, "502")
    assert dict(tail.arms) == {"student": 1}


def test_a_rotated_file_keeps_the_totals(tmp_path: Path) -> None:
    file = tmp_path / "traffic.jsonl"
    file.write_text(json.dumps(row()) * 1 + "\n" + json.dumps(row()) + "\n")
    tail = TrafficTail(file)
    tail.read()
    file.write_text(json.dumps(row()) + "\n")
    tail.read()
    assert tail.sent == 3


def test_a_swap_and_a_stage_become_events() -> None:
    before = Figures(stable="v2", candidate="v3", epoch=3, stage=Stage(1, "canary"))
    after = Figures(stable="v3", epoch=4, stage=Stage(1, "live"), failed=2)
    said = list(changes(before, after))
    assert said == ["v3 is live, was v2 (epoch 4)", "round 1: live", "2 requests failed"]
    assert list(changes(after, after)) == []


def test_a_candidate_that_is_taken_back_is_told() -> None:
    before = Figures(stable="v2", candidate="v4", share=0.25)
    after = Figures(stable="v3", epoch=4)
    assert list(changes(before, after)) == [
        "v3 is live, was v2 (epoch 4)", "v4 is no longer the candidate: it was taken back",
    ]  # fmt: skip


def test_a_slot_that_stops_serving_is_told_with_its_reason_until_it_serves_again() -> None:
    document = RoutingDocument(stable="v2", slots={"student-a": SlotView(desired="v2")})

    def seen(**beat: object) -> Figures:
        found = Heartbeat.model_validate({"slot": "student-a", "url": "u", "model": "student", **beat})
        return with_document(Figures(), document, {"student-a": found}, [])

    serves = seen(state="serving", version="v2", ready=True)
    hangs = seen(state="backing_off", bad={"v2": "no memory is left", "v1": "another matter"})
    silent = with_document(Figures(), document, {}, [])
    assert list(changes(serves, hangs)) == ["student-a is not ready: backing_off, no memory is left"]
    assert list(changes(hangs, serves)) == ["student-a serves v2"]
    assert [text for each in (serves, hangs, silent) for text in line(each).split(" | ") if "not ready" in text] == [
        "not ready: student-a (backing_off)", "not ready: student-a (away)",
    ]  # fmt: skip


def test_an_engine_of_others_is_shown_as_such_and_a_slot_without_work_is_no_trouble() -> None:
    given = SlotView(desired=EXTERNAL, version=EXTERNAL, ready=True)
    now = with_document(Figures(), RoutingDocument(slots={"teacher": given}), {}, [])
    assert [(slot.version, slot.ready) for slot in now.slots] == [(EXTERNAL, True), ("-", False), ("-", False)]
    assert now.lacking == []


def test_only_a_gateway_that_had_its_time_counts_as_behind() -> None:
    document = RoutingDocument(epoch=7, created=100.0)
    beats = [
        {"id": "quick", "epoch": 7, "at": 109.0}, {"id": "asleep", "epoch": 5, "at": 109.0},
        {"id": "about to", "epoch": 6, "at": 100.5},
    ]  # fmt: skip
    before, after = Figures(epoch=7), with_document(Figures(), document, {}, beats)
    assert after.behind == {"asleep": 5}
    assert list(changes(before, after)) == ["asleep stays at epoch 5 of 7"]
    assert list(changes(after, before)) == ["asleep follows again"]


def test_what_is_frozen_is_shown_and_what_waits_for_it() -> None:
    free = Figures(stage=Stage(2, "canary", note="step 1 of 1"))
    frozen = replace(free, frozen=("promotion",))
    assert "promotion is frozen until `understudy resume promotion`" in changes(free, frozen)
    assert list(changes(frozen, free)) == ["promotion goes on"]
    assert any("canary 0% waits: promotion is frozen" in text for text in shown(frozen))
    assert "waits: promotion is frozen | " in line(frozen)
    assert replace(frozen, stage=Stage(2, "distil")).waits == replace(frozen, stage=None).waits == ""
    assert any("waiting: learning is frozen" in text for text in shown(Figures(frozen=("learning",))))


def test_the_rate_falls_while_no_replies_come(tmp_path: Path) -> None:
    file, clock = tmp_path / "traffic.jsonl", [1010.0]
    file.write_text("".join(json.dumps(row(end=1000.0 + second)) + "\n" for second in range(11)))
    tail = TrafficTail(file, lambda: clock[0])
    assert tail.rate == 0.0
    tail.read()
    rates = []
    for clock[0] in (1010.0, 1015.0, 1055.0):
        tail.read()
        rates.append(tail.rate)
    assert rates == [1.0, 0.5, 0.0]


words = st.sampled_from(
    ["[bold] v3", "第一轮", "the worker ended and is started again because of a long and winding reason"]
)
names = st.sampled_from(["teacher", "student-a", "worker", "a-role-with-a-rather-long-name-of-its-own", "[/]"])
slots = st.builds(
    Slot, st.sampled_from(SLOTS), st.sampled_from(["v2", "v12345"]), words, st.booleans(), st.integers(0, 999), words
)
part = st.floats(0, 9)
stages = st.builds(Stage, st.integers(1, 99), st.sampled_from(STAGES), part, part, st.just("loss 0.1 [/]") | words)
figures = st.builds(
    Figures,
    seconds=st.floats(0, 1e6), sent=st.integers(0, 10**9), failed=st.integers(0, 10**9), pool=st.integers(0, 10**6),
    similarity=st.dictionaries(st.sampled_from(["drift", "general"]), st.floats(0, 1)),
    facts=st.dictionaries(st.sampled_from(["drift", "general"]), st.floats(0, 1)),
    arms=st.just({"teacher": 0.3, "student": 0.7}),
    hard=st.dictionaries(st.sampled_from(HARD_KINDS), st.integers(0, 10**6)),
    stage=st.none() | stages,
    candidate=st.sampled_from(["", "v3"]), previous=st.just(("v1", "v2", "v3")),
    slots=st.tuples(slots, slots, slots), down=st.lists(names, unique=True).map(tuple),
    frozen=st.lists(st.sampled_from(["promotion", "learning", "student"]), unique=True).map(tuple),
    behind=st.dictionaries(names, st.integers(0, 9)), events=st.lists(words).map(tuple),
)  # fmt: skip


def shown(now: Figures) -> list[str]:
    """The lines of the picture on a terminal of 80 columns."""
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(render(now, "gateway http://127.0.0.1:8000/v1   control http://127.0.0.1:8001   state /a/b/.state"))
    return console.export_text().splitlines()


@given(figures)
def test_any_picture_fits_24_lines_and_names_the_stage(now: Figures) -> None:
    lines = shown(now)
    assert len(lines) <= 24
    assert any("traffic" in text for text in lines)
    assert now.stage is None or any(f" {now.stage.name} " in text for text in lines)
    assert f"sent {now.sent} " in line(now)


def test_the_bar_grows_with_the_stage_and_the_latest_event_is_seen() -> None:
    events = tuple(f"event {number}" for number in range(9))
    pictures = [shown(Figures(stage=Stage(3, "distil", done, 120, "loss 0.2"), events=events)) for done in (0, 30, 120)]
    bars = [next(text for text in lines if "loss 0.2" in text) for lines in pictures]
    assert [bar.count("━") for bar in bars] == [0, BAR // 4, BAR]
    assert ["distil 0%" in bars[0], "distil 25%" in bars[1], "distil 100%" in bars[2]] == [True] * 3
    assert any("event 8" in text for text in pictures[0])


def test_the_gateways_own_counts_stand_in_for_foreign_traffic() -> None:
    text = (
        "# TYPE understudy_requests_total counter\n"
        'understudy_requests_total{arm="student",version="v2",status="200"} 7\n'
        'understudy_requests_total{arm="teacher",version="t1",status="502"} 2\n'
        'understudy_requests_total{arm="",version="",status="401"} 1\n'
    )
    assert counts(text) == Counts(sent=10, failed=2, arms=Counter(student=7, teacher=2))


def test_requests_before_the_first_look_do_not_count_and_those_of_a_former_gateway_stay() -> None:
    pages = iter([(3, 2), (7, 1), (9, 1), (2, 0)])  # answered, failed; the last one by a gateway that began anew

    async def metrics(request: Request) -> Response:
        answered, failed = next(pages)
        rows = (("student", 200, answered), ("", 503, failed))
        lines = [f'understudy_requests_total{{arm="{arm}",status="{status}"}} {n}\n' for arm, status, n in rows]
        return PlainTextResponse("# TYPE understudy_requests_total counter\n" + "".join(lines))

    with served(Starlette(routes=[Route("/metrics", metrics)])) as url:
        tail = GatewayTail(url)
        seen = []
        for _ in range(4):
            tail.read()
            seen.append((tail.seen.sent, tail.seen.failed, tail.seen.arms["student"]))
    assert seen == [(0, 0, 0), (3, 0, 4), (5, 0, 6), (7, 0, 8)]
