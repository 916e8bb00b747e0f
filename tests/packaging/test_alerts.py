"""Every alert rule fires where it should and is silent where it should, by `promtool test rules`."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import yaml

from tests.shared_data import need_program
from tests.waiting import LONG
from understudy.telemetry.table import metrics

PROMETHEUS = Path(__file__).resolve().parents[2] / "packaging" / "prometheus"
ALERTS = PROMETHEUS / "alerts.yml"
OF_ONE = {"instance": "127.0.0.1:9", "job": "understudy", "process": "one"}
FOREIGN = {"up"}
"""Names in rules that our table lacks: Prometheus' own."""
Series = dict[str, str]


def one(name: str, values: str, **labels: str) -> Series:
    """A series in promtool's words."""
    told = ",".join(f'{key}="{value}"' for key, value in {**OF_ONE, **labels}.items())
    return {"series": f"{name}{{{told}}}", "values": values}


LIVE = [one("understudy_arm_ready", "1+0x90", arm="teacher")]
ROUNDS, DROPPED, LOST = (
    "understudy_rounds_ended_total", "understudy_outbox_dropped_total", "understudy_outbox_lost_total",
)  # fmt: skip
DISK = [one("understudy_state_volume_bytes", "100+0x90")]
CASES: list[tuple[str, list[Series], list[Series]]] = [
    ("NoReadyArm", [one("understudy_arm_ready", "0+0x90", arm=arm) for arm in ("teacher", "student")],
     [*LIVE, one("understudy_arm_ready", "0+0x90", arm="student")]),
    ("NoReadyArm", [one("understudy_routing_epoch", "1+0x90")], LIVE),
    ("RoleDown", [*LIVE, one("up", "1+0x10 0+0x80")], [*LIVE, one("up", "1+0x90")]),
    ("EngineBreakerOpen", [*LIVE, one("understudy_engine_breaker_open", "0+0x5 1+0x80", slot="teacher")],
     [*LIVE, one("understudy_engine_breaker_open", "0+0x90", slot="teacher")]),
    ("AdversarialBreakerOpen", [*LIVE, one("understudy_adversarial_breaker_open", "0+0x5 2+0x80")],
     [*LIVE, one("understudy_adversarial_breaker_open", "0+0x90")]),
    ("EventsDropped", [*LIVE, one(DROPPED, "0+0x25 3+0x80", reason="queue"), one(LOST, "0+0x90")],
     [*LIVE, one(DROPPED, "7+0x90", reason="queue"), one(DROPPED, "0+1x90", reason="purged"), one(LOST, "0+0x90")]),
    ("EventsDropped", [*LIVE, one("understudy_gateway_events_total", "0+0x25 1+0x80", event="capture_dropped")],
     [*LIVE, one("understudy_gateway_events_total", "0+5x90", event="fallback")]),
    ("EventsDropped", [*LIVE, one("understudy_bus_lost_total", "0+0x25 1+0x80")],
     [*LIVE, one("understudy_bus_lost_total", "1+0x90")]),
    ("BusLags", [*LIVE, one("understudy_bus_oldest_seconds", "0+60x90", topic="understudy.exchanges")],
     [*LIVE, one("understudy_bus_oldest_seconds", "200+0x90", topic="understudy.exchanges")]),
    ("DiskAlmostFull", [*LIVE, *DISK, one("understudy_state_free_bytes", "4+0x90")],
     [*LIVE, *DISK, one("understudy_state_free_bytes", "6+0x90")]),
    ("DegradedShare", [*LIVE, one("understudy_degraded_total", "0+3x90", cause="guard"),
                       one("understudy_requests_total", "0+100x90", status="200")],
     [*LIVE, one("understudy_degraded_total", "0+1x90", cause="guard"),
      one("understudy_requests_total", "0+200x90", status="200")]),
    ("RoundFailed", [*LIVE, one(ROUNDS, "2+0x25 3+0x80", outcome="failed")],
     [*LIVE, one(ROUNDS, "3+0x90", outcome="failed"), one(ROUNDS, "0+1x90", outcome="done")]),
    ("GateRefused", [*LIVE, one(ROUNDS, "0+0x25 1+0x80", outcome="rejected")],
     [*LIVE, one(ROUNDS, "1+0x90", outcome="rejected"), one(ROUNDS, "0+1x90", outcome="done")]),
    ("AgreementFellWithRollback", [*LIVE, one("understudy_rollback_similarity_drop_ratio", "0+0x5 0.1+0x80")],
     [*LIVE, one("understudy_rollback_similarity_drop_ratio", "0+0x90")]),
]  # fmt: skip
"""Alert, series under which it alone fires after half an hour, series under which nothing does."""


def test_every_alert_has_a_case() -> None:
    rules = yaml.safe_load(ALERTS.read_text("utf-8"))["groups"][0]["rules"]
    assert {rule["alert"] for rule in rules} == {f"Understudy{name}" for name, _, _ in CASES}


def test_rules_ask_for_metrics_that_there_are() -> None:
    known = {metric.name for _, metric in metrics() if not metric.until}
    rules = yaml.safe_load(ALERTS.read_text("utf-8"))["groups"][0]["rules"]
    asked = {name for rule in rules for name in re.findall(r"\b(?:understudy_\w+|up)\b", rule["expr"])}
    assert asked - known - FOREIGN - {"understudy"} == set()


def test_promtool_takes_rules_and_configuration() -> None:
    need_program("promtool")
    for words in (("rules", ALERTS), ("config", PROMETHEUS / "prometheus.yml")):
        done = subprocess.run(["promtool", "check", *map(str, words)], capture_output=True, text=True, timeout=LONG)
        assert done.returncode == 0, done.stdout + done.stderr


def test_each_alert_fires_and_each_is_silent(tmp_path: Path) -> None:
    need_program("promtool")

    def case(name: str, series: list[Series], firing: bool) -> dict[str, Any]:
        seen = [{"labels": f'{{alertname="Understudy{name}"}}', "value": 1}] if firing else []
        expr = 'count by (alertname) (ALERTS{alertstate="firing"})'
        wanted = [{"expr": expr, "eval_time": "30m", "exp_samples": seen}]
        return {"interval": "1m", "input_series": series, "promql_expr_test": wanted}

    tests = [case(name, fires, True) for name, fires, _ in CASES] + [case(name, not_, False) for name, _, not_ in CASES]
    path = tmp_path / "test.yml"
    path.write_text(yaml.safe_dump({"rule_files": [str(ALERTS)], "evaluation_interval": "15s", "tests": tests}))
    done = subprocess.run(["promtool", "test", "rules", str(path)], capture_output=True, text=True, timeout=LONG)
    assert done.returncode == 0, done.stdout + done.stderr
