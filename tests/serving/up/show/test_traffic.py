"""The traffic file: counted once while it grows, whatever it holds."""

from __future__ import annotations

import json
from pathlib import Path

from serving.up.show.traffic import TrafficTail


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
