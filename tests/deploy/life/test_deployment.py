"""What the controller holds: one durable write a change, moves by the table only, and who is ready."""

from __future__ import annotations

from pathlib import Path

import pytest

from deploy.audit.log_file import FileAuditLog
from deploy.life.deployment import LONGEST_WHY, Deployment
from deploy.life.document import Settings
from deploy.routing.document import Heartbeat
from tests.deploy.fleet import Time, register
from understudy.errors import IllegalTransition
from understudy.state import StateDir


@pytest.fixture
def deployment(state_dir: StateDir) -> Deployment:
    return Deployment(state_dir, Settings(), clock=Time())


def written(state: StateDir) -> Path:
    return state.registry / "rollout.json"


def beat(slot: str, version: str, ready: bool = True) -> Heartbeat:
    told = {"slot": slot, "url": "http://127.0.0.1:1", "model": "m", "state": "serving"}
    return Heartbeat.model_validate({**told, "version": version, "ready": ready})


def test_a_change_is_read_back_by_the_next_controller_and_audited(deployment: Deployment, state_dir: StateDir) -> None:
    assert deployment.fresh
    deployment.change(("v1", "adopted", "因为"), stable="v1", decided_by="first start")
    again = Deployment(state_dir, Settings())
    assert not again.fresh
    assert again.state == deployment.state
    record = again.state.record("v1")
    assert (record.state, record.decided_by, record.history[-1]["why"]) == ("live", "first start", "因为")
    (entry,) = FileAuditLog(state_dir.audit).entries()
    assert (entry["action"], entry["details"]["version"]) == ("version.adopted", "v1")


def test_a_move_that_is_not_in_the_table_changes_nothing(deployment: Deployment, state_dir: StateDir) -> None:
    with pytest.raises(IllegalTransition, match="'superseded'"):
        deployment.change(("v1", "adopted", ""), ("v2", "superseded", ""), stable="v1")
    assert deployment.fresh
    assert not written(state_dir).exists()
    assert list(FileAuditLog(state_dir.audit).entries()) == []


def test_what_changes_nothing_is_not_written(deployment: Deployment, state_dir: StateDir) -> None:
    deployment.change(stable="v1")
    written(state_dir).unlink()
    deployment.change(stable="v1")
    deployment.settle()
    assert not written(state_dir).exists()


def test_only_an_event_that_decides_carries_who_decided(deployment: Deployment) -> None:
    deployment.change(("v1", "gate_passed", ""), decided_by="nobody")
    assert deployment.state.record("v1").decided_by == ""
    deployment.change(("v1", "chosen", ""), decided_by="operator")
    assert deployment.state.record("v1").decided_by == "operator"


def test_a_reason_is_kept_short(deployment: Deployment) -> None:
    deployment.change(("v1", "gate_failed", "x" * 3 * LONGEST_WHY))
    assert deployment.state.record("v1").history[-1]["why"] == "x" * LONGEST_WHY


def test_a_slot_keeps_the_stable_version_that_it_reports(deployment: Deployment) -> None:
    deployment.beats = {"student-b": beat("student-b", "v1")}
    deployment.change(stable="v1", previous=("v0",))
    assert deployment.state.slots == {"student-a": "v0", "student-b": "v1"}


def test_a_version_is_ready_where_its_own_slot_has_verified_it(deployment: Deployment) -> None:
    deployment.change(stable="v1", previous=("v0",))
    home = next(slot for slot, version in deployment.state.slots.items() if version == "v1")
    other = next(slot for slot, version in deployment.state.slots.items() if version == "v0")
    for slot, ready, expected in (
        (home, True, True),
        (home, False, False),
        (other, True, False),
        ("teacher", True, False),
    ):
        deployment.beats = {slot: beat(slot, "v1", ready)}
        assert deployment.ready("v1") is expected


def test_students_are_those_that_are_not_bad_newest_first(deployment: Deployment, state_dir: StateDir) -> None:
    for content in ("a", "b", "c"):
        register(state_dir, content)
    deployment.change(bad={"v2": "damaged"})
    assert deployment.students() == ["v3", "v1"]
    assert deployment.has_fingerprint("v3")
    assert not deployment.has_fingerprint("v9")
