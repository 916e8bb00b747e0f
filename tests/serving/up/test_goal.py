"""The report of `--until-swap` where there is nothing to measure, and how long a measurement may take."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
from rich.console import Console

from serving.up import goal
from serving.up.config import UpConfig
from serving.up.goal import OVERTIME_SECONDS, REPORT_SECONDS, Goal, failed, write_report
from serving.up.options import UpOptions
from serving.up.show.figures import Figures
from serving.up.supervise.process import Role, open_log
from tests.deploy.fleet import Time, cut, register
from understudy.state import StateDir

SWAPPED = {"before": "v2", "after": "v3", "live_at": 1.0}


OBJECTS = {
    "machine", "versions", "seconds", "requests", "swap", "hard", "agreement", "prefix", "canary", "student_vs_teacher",
}  # fmt: skip
"""Of the report as the interface fixes it, beside `ok`."""


@pytest.mark.parametrize("facts", [None, {"before": "v2", "after": None, "live_at": None}, SWAPPED])
def test_a_failed_report_has_the_keys_of_a_full_one(facts: dict | None) -> None:
    report = failed("no luck", facts)
    assert report.keys() == {"ok", "why", *OBJECTS}
    assert (report["ok"], report["why"]) == (False, "no luck")
    assert all(isinstance(report[name], dict) for name in OBJECTS)
    assert set(report["versions"].values()) <= {"v2", "v3"}


@pytest.mark.parametrize(("left", "granted"), [(1000.0, 1000.0), (0.0, REPORT_SECONDS)])
async def test_the_measurement_gets_what_is_left_of_the_time_out(
    state_dir: StateDir, monkeypatch: pytest.MonkeyPatch, left: float, granted: float
) -> None:
    limits = []

    async def run_once(role: Role, logs: Path, seconds: float) -> int:
        limits.append(seconds)
        with open_log(logs / f"{role.name}.log") as log:
            log.write(b"reading\nno question was written\n")
        return 1

    monkeypatch.setattr(goal, "run_once", run_once)
    options = UpOptions(state_dir, until_swap=True)
    plan = SimpleNamespace(config=state_dir.run / "config.yaml", up=UpConfig())
    assert not await write_report(options, plan, SWAPPED, left, Console(quiet=True))
    assert limits == [granted]
    assert granted < OVERTIME_SECONDS + left
    report = json.loads((state_dir.run / "report.json").read_text())
    assert report["versions"] == {"before": "v2", "after": "v3"}
    log = state_dir.logs / "questions.log"
    assert report["why"] == f"the measurement failed: no question was written (log: {log})"


def test_a_system_that_begins_with_an_unfit_student_has_swapped_when_its_first_one_is_live(
    state_dir: StateDir,
) -> None:
    cut(state_dir)
    register(state_dir, "learned", 1)
    fit = register(state_dir, "fit", 2)
    clock = Time(0.0)
    until = Goal(state_dir, timeout=100.0, after=10.0, clock=clock)
    for unfit in ("v1", "v2"):
        assert not until.over(Figures(unfit=unfit))
    assert not until.over(Figures(stable=fit))
    clock.at += 10
    assert until.over(Figures(stable=fit))
    assert (until.facts["before"], until.facts["after"]) == ("v2", fit)
