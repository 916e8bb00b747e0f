"""Figures from the traffic file, events between pictures, and both ways to show them."""

from __future__ import annotations

import json
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from serving.up.changes import changes
from serving.up.figures import Figures, Slot, Stage, line
from serving.up.gateway_counts import Counts, counts
from serving.up.traffic import TrafficTail
from serving.up.view import render


def row(**more: object) -> dict[str, object]:
    base = {
        "t": 1.0, "end": 2.0, "family": "general", "ok": True, "error": "", "truncated": False, "mixed": False,
        "arm": "student", "version": "v2", "fact": True, "reply": "您的订单明天到。",
    }  # fmt: skip
    return {**base, **more}


def test_the_traffic_file_is_counted_once_while_it_grows(tmp_path: Path) -> None:
    file = tmp_path / "traffic.jsonl"
    tail = TrafficTail(file)
    tail.read()
    text = json.dumps(row(), ensure_ascii=False) + "\n" + json.dumps(row(family="drift", fact=False, t=5.0)) + "\n"
    file.write_bytes(text.encode()[:200])
    tail.read()
    file.write_bytes(text.encode())
    tail.read()
    tail.read()
    assert (tail.sent, tail.failed, tail.first_drift) == (2, 0, 5.0)
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
    before = Figures(stable="v2", epoch=3, stage=Stage(1, "canary"), roles={"worker": "backing_off"})
    after = Figures(stable="v3", epoch=4, stage=Stage(1, "live"), failed=2)
    said = list(changes(before, after))
    assert said == ["v3 is live, was v2 (epoch 4)", "round 1: live", "worker runs again", "2 requests failed"]
    assert list(changes(after, after)) == []


share = st.floats(0, 9)
figures = st.builds(
    Figures,
    seconds=st.floats(0, 1e6), sent=st.integers(0, 10**9), failed=st.integers(0, 9), pool=st.integers(0, 10**6),
    agreement=st.dictionaries(st.sampled_from(["drift", "general"]), st.floats(0, 1)),
    hard=st.dictionaries(st.sampled_from(["semantic", "logic"]), st.integers(0, 10**6)),
    stage=st.none() | st.builds(Stage, st.integers(1, 99), st.sampled_from(["score", "gate"]), share, share),
    slots=st.just((Slot("teacher", "t1", "serving", True, 3), Slot("student-a"))),
    events=st.lists(st.sampled_from(["[bold] v3", "第一轮"]), max_size=9).map(tuple),
)  # fmt: skip


@given(figures)
def test_any_picture_can_be_shown(now: Figures) -> None:
    console = Console(width=80, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    console.print(render(now, "gateway"))
    assert "traffic" in console.export_text()
    assert f"sent {now.sent} " in line(now)
    console.file.close()


def test_the_gateways_own_counts_stand_in_for_foreign_traffic() -> None:
    text = (
        "# TYPE understudy_requests_total counter\n"
        'understudy_requests_total{arm="student",version="v2",status="200"} 7\n'
        'understudy_requests_total{arm="teacher",version="t1",status="502"} 2\n'
        'understudy_requests_total{arm="",version="",status="401"} 1\n'
    )
    assert counts(text) == Counts(sent=10, failed=2, arms={"student": 7, "teacher": 2})
