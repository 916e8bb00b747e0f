"""Tables and bars say what the record holds: void rows, ratios beside what is asked, peers that did not start."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from bench.gateway import telling
from bench.gateway.candidates.starting import ALL, BARE, UNREDACTED
from bench.gateway.load import GatewayResult
from bench.gateway.remembering import MemoryResult
from bench.gateway.streaming import Lag, StreamingResult
from bench.page import SECTIONS

KEPT = GatewayResult(50.0, 1.0, 2.0, 30.0, 20.0, 1.0, 0, 0, 9, 30.0)
NGINX = replace(KEPT, per_second=100.0, p50=0.5, cpu_loop=5.0, cpu_others=0.0)


def row(result: object) -> dict[str, Any]:
    return {**asdict(result), "load": 0.5}  # type: ignore[call-overload]


@pytest.fixture
def report() -> dict[str, Any]:
    """A record of all parts, small."""
    lag = Lag(1.0, 3.0, 4.0)
    slow = StreamingResult(1000, 1000, 0, 0, 0, 2e4, lag, lag, lag, 30.0, 1.0, 90.0, 0, 120.0)
    short = {
        "direct": row(replace(NGINX, per_second=200.0)), "nginx": row(NGINX), "litellm": {"failed": "no", "load": 0},
        BARE: row(KEPT), UNREDACTED: row(replace(KEPT, dropped=1)), ALL: row(replace(KEPT, per_second=10.0)),
    }  # fmt: skip
    return {
        "texts": "shared data", "spans": True, "workers": 2,
        "parts": {
            "rates": {telling.SHORT: short, telling.STREAM: {"nginx": row(NGINX), BARE: row(KEPT)}},
            "streams": {"1000 slow streams": {"direct": row(replace(slow, delay=Lag(0.1, 1.0, 2.0))), ALL: row(slow)}},
            "workers": {"short, 0.5 KB, c=32": {f"{BARE} x2": row(replace(KEPT, cpu_loop=35.0))},
                        "short, 0.5 KB, c=16": {BARE: row(KEPT)}},
            "memory": {"mixed": {ALL: row(MemoryResult(250.0, 0, 0, tuple(map(float, range(90, 100))), 0.03, 600.0))}},
        },
    }  # fmt: skip


def test_rates_are_shares_of_nginx_and_a_row_with_a_drop_is_void(report: dict[str, Any]) -> None:
    rows = {row[1]: row for row in telling.rates(report["parts"]["rates"]) if row[0] == telling.SHORT}
    assert (rows[BARE][2:4], rows[BARE][6], rows[BARE][9]) == (("50", "0.500"), "0.50", "10.000")
    assert rows[UNREDACTED][2:4] == ("void", "")
    assert rows["litellm"][2:4] == ("failed", "no")
    assert len({len(row) for row in rows.values()} | {len(telling.RATES)}) == 1


def test_what_is_asked_stands_beside_what_was_measured(report: dict[str, Any]) -> None:
    rows = {row[0]: row[1:] for row in telling.ratios(report["parts"], 2)}
    assert rows[f"{telling.SHORT}: {BARE}, rate of nginx"] == ("0.5", "at least 0.3", "met")
    assert rows[f"{telling.SHORT}: {ALL}, rate of nginx"] == ("0.1", "at least 0.09", "met")
    assert rows[f"{telling.STREAM}: {BARE}, CPU of nginx"] == ("10", "at most 1.5", "not met")
    assert rows[f"1,000 slow streams: {ALL}, added delay p99 ms"] == ("2", "at most 8", "met")
    assert rows[f"mixed load: {ALL}, growth of memory"] == ("0.03", "at most 0.02", "not met")
    assert rows[f"{telling.SHORT}: {UNREDACTED}, rate of nginx"] == ("void", "at least 0.2", "not met")
    assert rows[f"2 workers: {BARE}, CPU a request of one worker's"] == ("1.1", "at most 1.1", "met")
    for part, load, name in (("streams", "1000 slow streams", ALL), ("memory", "mixed", ALL)):
        report["parts"][part][load][name]["dropped"] = 1
    void = {row[0]: row[1] for row in telling.ratios(report["parts"], 2)}
    assert void[f"1,000 slow streams: {ALL}, added delay p99 ms"] == "void"
    assert void[f"mixed load: {ALL}, growth of memory"] == "void"
    assert [row[3] for row in telling.streams(report["parts"]["streams"]) if row[1] == ALL] == ["void"]


def test_workers_are_compared_with_one_that_had_as_much_to_do(report: dict[str, Any]) -> None:
    assert telling.workers(report["parts"]["workers"], 2) == [
        (f"{BARE} x2", "short, 0.5 KB, c=32", "50", "35 + 20", "1.100"),
        (BARE, "short, 0.5 KB, c=16", "50", "30 + 20", ""),
    ]


def test_what_changes_brought_stands_beside_what_is_now() -> None:
    found = {
        "nginx": row(NGINX), BARE: row(KEPT), ALL: row(replace(KEPT, dropped=1)),
        f"{BARE} at abc1234": {**row(replace(KEPT, per_second=10.0)), "subject": "Be slow"},
        f"{ALL} at abc1234": {"failed": "it ended", "subject": "Be slow", "load": 0.0},
    }  # fmt: skip
    assert telling.changes(found) == [
        ("this state", "", "50", "0.500", "50", "void", "", "50", "2.0"),
        ("Be slow", "abc1234", "10", "0.100", "50", "failed", "", "", ""),
    ]
    assert telling.changes({}) == []


def test_the_page_has_every_part_and_none_where_nothing_was_measured(report: dict[str, Any]) -> None:
    page = SECTIONS["gateway"][2](report)
    for words in ("Several workers:", "Slow streams: 400 events", "90 91 92", "+3.0%", "Load of the machine", "0.5."):
        assert words in page
    del report["parts"]["workers"]
    assert "Several workers:" not in SECTIONS["gateway"][2](report)
    console = Console(width=200)
    with console.capture() as shown:
        telling.show(report, console)
    assert "Memory under a mixed load" in shown.get()


def test_bars_are_of_what_was_not_void_and_the_same_each_time(
    report: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MPLCONFIGDIR", str(tmp_path / "mpl"))
    assert telling.bars(report, telling.SHORT) == [("nginx", 1.0), (BARE, 0.5), (ALL, 0.1)]
    one, other = tmp_path / "one.svg", tmp_path / "other.svg"
    telling.plot(report, one)
    telling.plot(report, other)
    assert one.read_bytes() == other.read_bytes()
