"""`bench alone`: who was live after each round, and what was lost of what was known."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bench import alone
from bench.exam import lost
from bench.page import table
from deploy.registry.store import Registry
from deploy.rounds.record import Round
from deploy.rounds.store import FileRounds
from deploy.rounds.table import STAGES
from trials.system import ROOT
from understudy.state import StateDir

TEACHER = ROOT / "demo" / "models" / "teacher"
STUDENTS = ROOT / "demo" / "registry" / "students"


def marked(version: str) -> dict[str, Any]:
    """Marks by hand: the third student gets one of four general prompts wrong that the first got right."""
    exact = {"v1": "1110", "v2": "1110", "v3": "0111"}[version]
    part = {"agreement": 0.9, "exact": exact.count("1") / 4, "facts": 1.0, "n": 4}
    return {"parts": {"general": part, "trade_in/en": part}, "exact": exact, "facts": "1111"}


def test_who_was_live_follows_the_rounds_and_a_refused_candidate_changes_nothing() -> None:
    rounds = [
        Round(1, "done", "v1", "t1", "v2", "", 0.0),
        Round(2, "rolled_back", "v2", "t1", "v9", "", 0.0),
        Round(3, "failed", "v2", "t1", None, "", 0.0),
        Round(4, "done", "v2", "t1", "v3", "", 0.0),
    ]
    rows = alone.course(StateDir(Path()), rounds, marked)
    assert [(row["round"], row["live"]) for row in rows] == [(0, "v1"), (1, "v2"), (2, "v2"), (3, "v2"), (4, "v3")]
    found = lost(rows[0]["exact"], rows[-1]["exact"])
    assert (found.n, found.lost, found.won) == (4, 1, 1)
    assert alone.told(rows[0], rows[-1], "exact").startswith("0.750 (1 lost, 1 won, p 0.750, ")
    page = alone.page({"rows": rows}, table)
    assert "| 0 | start | v1 | 0.750 | 1.000 | 0.75 |" in page
    assert "| 2 | rolled_back | v2 | 0.750 (0 lost, 0 won, " in page
    assert "until 4 rounds had ended" in page


def test_rounds_that_lie_in_the_state_directory_are_judged_without_another(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    state = StateDir(tmp_path / "state")
    registry, rounds = Registry(state), FileRounds(state)
    for folder, version, kind in ((TEACHER, "t1", "teacher"), (STUDENTS / "v2", "v1", "student")):
        registry.register(
            folder, kind=kind, parent=None, teacher=None, round=None, lineage={}, metrics={}, version=version
        )  # type: ignore[arg-type]
    registry.register(
        STUDENTS / "v1", kind="student", parent="v1", teacher="t1", round=1, lineage={}, metrics={}, version="v2"
    )
    one = rounds.begin("v1", "t1", "test")
    for stage in STAGES:
        rounds.finish(one.id, stage, {"version": "v2"} if stage == "register" else {})
    report = tmp_path / "alone.json"
    few = ["--judge", "8", "--judge-new", "1"]
    assert alone.main(["--rounds", "1", *few, "--state", str(state.root), "--json", str(report)]) == 0
    [start, after] = json.loads(report.read_text())["rows"]
    assert (start["live"], after["live"], after["state"]) == ("v1", "v2", "done")
    assert len(start["exact"]) == len(after["facts"]) == 8
    assert start["parts"]["general"]["exact"] > after["parts"]["general"]["exact"]  # v1 of the demo is the weaker one
    assert "left alone" in capsys.readouterr().out


def test_no_round_is_no_course(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        alone.parsed(["--rounds", "0"])
    assert "--rounds: at least 1" in capsys.readouterr().err
