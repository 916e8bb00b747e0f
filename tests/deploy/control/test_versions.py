"""The list of versions over time: the first stable one, damaged ones, those that are too many."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from deploy.control.versions import archive_spare
from deploy.registry.store import Registry
from deploy.rounds.store import FileRounds
from deploy.routing.document import EXTERNAL, SlotView
from tests.deploy.fleet import STEP, World, actions, model_folder, register, to_canary
from understudy.errors import Conflict
from understudy.state import StateDir


def test_the_newest_version_is_stable_at_first_and_older_ones_wait_in_the_other_slot(world: World) -> None:
    document = world.turn()
    assert (document.stable, document.previous) == ("v2", ("v1",))
    assert {s: v.version for s, v in document.slots.items() if s != "teacher"} == {"student-a": "v2", "student-b": "v1"}
    assert all(view.serves for slot, view in document.slots.items() if slot != "teacher")


def test_a_version_that_has_learned_nothing_yet_is_never_the_first_stable_one(
    state_dir: StateDir, tmp_path: Path
) -> None:
    world = World(state_dir)
    folder = model_folder(tmp_path / "cut", "a cut")
    lineage = {"origin": "cut", "fitness": "unfit", "note": "unfit: 3 of 6 layers of t1"}
    Registry(state_dir).register(
        folder, kind="student", parent="t1", teacher="t1", round=None, lineage=lineage, metrics={}
    )
    document = world.turn()
    assert document.stable == "v2"
    assert "v3" not in document.previous


def test_the_versions_that_are_named_are_the_first_ones(state_dir: StateDir) -> None:
    for number in (1, 2):
        folder = model_folder(state_dir.root / "made" / f"t{number}", f"t{number}")
        Registry(state_dir).register(
            folder, kind="teacher", parent=None, teacher=None, round=None, lineage={}, metrics={}
        )
    document = World(state_dir, first_teacher="t1", first_student="v1").turn()
    assert (document.teacher, document.stable, document.previous) == ("t1", "v1", ("v2",))


def test_a_first_student_that_is_not_there_is_told_with_the_one_that_is_live_instead(
    state_dir: StateDir, caplog: pytest.LogCaptureFixture
) -> None:
    world = World(state_dir, first_student="v9")
    assert world.turn().stable == "v2"
    world.start()
    world.turn()
    told = [record.getMessage() for record in caplog.records if "first_student" in record.getMessage()]
    assert told == ["rollout.first_student names v9, which is not registered: v2 is live instead"]


def test_a_candidate_that_no_slot_can_load_is_bad_for_good(world: World) -> None:
    version = world.candidate()
    world.fleet.refuse[version] = "fingerprint differs by 3.1 nats"
    document = world.turn(6)
    assert (document.stable, document.candidate) == ("v2", None)
    assert document.slots["student-b"].desired == "v1"
    assert "3.1 nats" in world.conductor.deployment.state.bad[version]
    assert FileRounds(world.state).get(1).state == "rolled_back"
    with pytest.raises(Conflict, match="marked bad"):
        world.conductor.acts.perform("promote", version, "test")
    assert "version.unloadable" in actions(world)


def test_a_stable_version_that_no_slot_can_load_gives_way_to_the_former_one(world: World) -> None:
    world.fleet._loaded["student-a"] = None
    world.fleet.refuse["v2"] = "student-a cannot verify it"
    document = world.turn()
    assert document.stable == "v1"
    assert document.slot_of("v1", "student") is not None
    version = world.candidate()
    to_canary(world, version)
    world.evidence(version, 60)
    assert world.turn().stable == version


def test_old_versions_are_archived_but_never_the_last_four(state_dir: StateDir) -> None:
    world = World(state_dir, (STEP,), keep_versions=4)
    for number in range(3, 7):
        register(state_dir, f"spare-{number}")
    for _ in range(3):
        version = world.candidate()
        to_canary(world, version)
        world.evidence(version, 60)
        world.turn(5)
    kept = [m.version for m in Registry(state_dir).versions()]
    assert set(kept) >= {"v9", "v8", "v7", "v2"}
    assert "v1" not in kept
    assert (state_dir.registry / "archive" / "v1" / "manifest.json").is_file()


def test_a_version_that_was_written_down_as_archived_and_not_yet_moved_is_moved_later(state_dir: StateDir) -> None:
    world = World(state_dir, (STEP,), keep_versions=4)
    for number in range(3, 10):
        register(state_dir, f"spare-{number}")
    world.turn()
    world.conductor.deployment.change(("v1", "archived", "killed before the folder was moved"))
    archive_spare(world.conductor.deployment)
    assert (state_dir.registry / "archive" / "v1").is_dir()
    assert actions(world).count("version.archived") >= 1


def test_arms_that_somebody_else_runs_come_from_the_configuration_and_ours_come_back_without_it(world: World) -> None:
    """Beside `serve` before two engines of others the student used to disappear."""
    assert world.turn().stable == "v2"
    deployment = world.conductor.deployment
    ours = deployment.settings
    theirs = SlotView(desired=EXTERNAL, version=EXTERNAL, ready=True, url="http://h:1/v1", model="m")
    deployment.settings = replace(ours, teacher=theirs, student=theirs)
    document = world.turn()
    assert (document.teacher, document.stable, document.previous) == (EXTERNAL, EXTERNAL, ())
    assert document.slots == {"teacher": theirs, "student-a": theirs}
    assert document.slot_of(document.stable, "student") == theirs
    for kind in ("rollback", "promote"):
        with pytest.raises(Conflict, match="somebody else"):
            world.conductor.acts.perform(kind, "v1", "test")
    deployment.settings = ours
    world.turn()
    assert world.turn().stable == "v2"
