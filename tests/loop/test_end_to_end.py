"""The whole loop on real engines and real traffic, from a fresh state to a distilled student that is live."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from tests.loop.processes import processes_of
from tests.loop.turn import FULL, TURN_SECONDS, Turned
from tests.waiting import eventually
from trials.system import ROOT

pytestmark = [pytest.mark.loop, pytest.mark.timeout(1200)]

SLICES: dict[str, Any] = {"drift": {"before": 0.0, "after": 0.0}, "general": {"before": 0.0, "after": 0.0}}
REPORT: dict[str, Any] = {
    "ok": True, "machine": {}, "versions": {"before": "", "after": ""},
    "seconds": {"ready": 0.0, "drift_to_live": 0.0, "stages": {"select": 0.0}},
    "requests": {"sent": 0, "failed": 0, "truncated": 0, "mixed_version": 0},
    "swap": {"longest_gap": 0.0, "longest_gap_without": 0.0},
    "hard": {"total": 0, "by_kind": {}},
    "agreement": SLICES, "prefix": SLICES, "facts": SLICES,
    "canary": {"steps": [], "decided_by": ""},
    "student_vs_teacher": {"ttft": 0.0, "throughput": 0.0, "memory": 0.0},
}  # fmt: skip
"""The keys that programs rely on, with a value of the right type."""


def test_a_distilled_student_goes_live_under_traffic_without_a_failed_request(turned: Turned) -> None:
    assert turned.code == 0, f"{turned.report.get('requests')} {turned.output[-4000:]}"
    report = turned.report
    assert report["ok"] is True
    assert report["versions"]["before"] != report["versions"]["after"]
    assert report["requests"]["sent"] > 300
    assert {k: report["requests"][k] for k in ("failed", "truncated", "mixed_version")} == {
        "failed": 0, "truncated": 0, "mixed_version": 0,
    }  # fmt: skip


def test_the_report_has_the_promised_shape_and_was_made_in_time(turned: Turned) -> None:
    assert missing(REPORT, turned.report) == []
    seconds = turned.report["seconds"]
    assert 0 < seconds["ready"] <= (60 if FULL else TURN_SECONDS)  # of a machine that has nothing else to do
    assert 0 < seconds["drift_to_live"] <= (600 if FULL else TURN_SECONDS)
    assert all(count >= 200 for count in turned.report["prompts"].values())


def missing(promised: dict[str, Any], found: dict[str, Any], path: str = "") -> list[str]:
    """Paths of the keys of `promised` that `found` lacks, or that hold another type there."""
    wrong = []
    for key, value in promised.items():
        here, other = f"{path}.{key}", found.get(key)
        if isinstance(value, dict) and isinstance(other, dict):
            wrong += missing(value, other, here)
        elif not isinstance(other, int | float if isinstance(value, float) else type(value)):
            wrong.append(here)
    return wrong


def test_agreement_on_the_drift_rises_and_the_general_slice_keeps_its_own(turned: Turned) -> None:
    agreement, prefix, facts = (turned.report[name] for name in ("agreement", "prefix", "facts"))
    assert agreement["drift"]["before"] < 0.5
    assert agreement["drift"]["after"] > (0.75 if FULL else 0.5)  # a small round takes fewer steps
    assert agreement["general"]["after"] > agreement["general"]["before"] - 0.03
    assert prefix["drift"]["after"] > prefix["drift"]["before"] + 0.3
    assert facts["drift"]["after"] >= facts["drift"]["before"] + (0.4 if FULL else 0.0)
    assert facts["general"]["after"] > facts["general"]["before"] - 0.2


def test_hard_samples_were_counted_by_kind_and_every_stage_timed(turned: Turned) -> None:
    report = turned.report
    assert report["hard"]["total"] > 0
    assert set(report["hard"]["by_kind"]) == {
        "ambiguity", "grammar", "mixed_domain", "multi_intent", "nested", "truncated", "semantic", "logic", "quality",
    }  # fmt: skip
    assert sum(report["hard"]["by_kind"].values()) >= report["hard"]["total"]
    assert {"select", "score", "distil", "export", "evaluate", "register", "gate", "canary"} <= set(
        report["seconds"]["stages"]
    )
    assert report["canary"]["steps"]
    assert report["canary"]["decided_by"]


def test_nothing_is_left_running_after_the_end(turned: Turned) -> None:
    eventually(lambda: processes_of(turned.state) == [], 60, "the end of every process")
    assert processes_of(turned.state) == []


def test_the_audit_log_verifies_offline_and_a_changed_line_is_found(turned: Turned) -> None:
    command = [sys.executable, "-m", "understudy", "audit", "verify", "--state", str(turned.state), "--json"]
    good = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert good.returncode == 0, good.stderr
    log = turned.state / "registry" / "audit.jsonl"
    original = log.read_text()
    lines = original.splitlines()
    entry = json.loads(lines[2])
    entry["action"] = "something else"
    log.write_text("\n".join([*lines[:2], json.dumps(entry), *lines[3:]]) + "\n")
    try:
        bad = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
        assert bad.returncode == 1
        assert "3" in bad.stdout + bad.stderr
    finally:
        log.write_text(original)
