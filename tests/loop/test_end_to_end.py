"""The whole loop on real engines and real traffic, from a fresh state to a distilled student that is live."""

from __future__ import annotations

import json
import subprocess
import sys

import psutil
import pytest

from bench.system import ROOT
from tests.loop.conftest import Turned

pytestmark = [pytest.mark.loop, pytest.mark.timeout(1200)]


def test_a_distilled_student_goes_live_under_traffic_without_a_failed_request(turned: Turned) -> None:
    assert turned.code == 0, turned.output[-4000:]
    report = turned.report
    assert report["ok"] is True
    assert report["versions"]["before"] != report["versions"]["after"]
    assert report["requests"]["sent"] > 300
    assert {k: report["requests"][k] for k in ("failed", "truncated", "mixed_version")} == {
        "failed": 0, "truncated": 0, "mixed_version": 0,
    }  # fmt: skip


def test_agreement_on_the_drift_rises_and_the_general_slice_keeps_its_own(turned: Turned) -> None:
    agreement = turned.report["agreement"]
    assert agreement["drift"]["after"] > agreement["drift"]["before"] + 0.1
    assert agreement["general"]["after"] > agreement["general"]["before"] - 0.05
    prefix = turned.report["prefix"]
    assert prefix["drift"]["after"] > prefix["drift"]["before"]


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
    left = [p.info["cmdline"] for p in psutil.process_iter(["cmdline"]) if str(turned.state) in str(p.info["cmdline"])]
    assert left == []


def test_the_audit_log_verifies_offline_and_a_changed_line_is_found(turned: Turned) -> None:
    command = [sys.executable, "-m", "understudy", "audit", "verify", "--state", str(turned.state), "--json"]
    good = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert good.returncode == 0, good.stderr
    log = turned.state / "registry" / "audit.jsonl"
    original = log.read_text()
    lines = original.splitlines()
    entry = json.loads(lines[2])
    entry["action"] = "something else"
    log.write_text("\n".join([*lines[:2], json.dumps(entry), *lines[3:]]) + "\n")
    try:
        bad = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
        assert bad.returncode == 1
        assert "3" in bad.stdout + bad.stderr
    finally:
        log.write_text(original)
