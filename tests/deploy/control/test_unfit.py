"""The life of a student that begins unfit: from a teacher alone over rounds to live, and back."""

from __future__ import annotations

from pathlib import Path

import pytest

from ab.experiment import Experiment
from deploy.audit.log_file import FileAuditLog
from deploy.control.retention import in_use
from deploy.life.state import ControlState
from deploy.registry.store import Registry
from deploy.rounds.store import FileRounds
from deploy.routing.document import RouterConfig, RoutingDocument
from serving.gateway.routing import Ask, route
from tests.deploy.fleet import Moving, World, actions, beginning, cut, register, teacher, to_canary, to_live
from understudy.errors import Conflict, UnderstudyError
from understudy.state import StateDir


@pytest.fixture
def world(state_dir: StateDir) -> World:
    """A teacher and a cut of it, settled."""
    return beginning(state_dir)


def held(document: RoutingDocument) -> dict[str, str | None]:
    return {name: view.version for name, view in document.slots.items() if name != "teacher"}


def state(world: World) -> ControlState:
    return world.conductor.deployment.state


def test_the_first_document_is_valid_with_a_teacher_alone(state_dir: StateDir) -> None:
    teacher(state_dir)
    document = World(state_dir, students=()).turn()
    assert (document.teacher, document.stable, document.unfit) == ("t1", None, None)
    assert document.slot_of("t1", "teacher") is not None
    assert held(document) == {"student-a": None, "student-b": None}


def test_a_cut_is_loaded_for_copies_and_is_nobodys_arm(world: World) -> None:
    document = world.turn()
    assert (document.stable, document.unfit, document.previous) == (None, "v1", ())
    assert held(document) == {"student-a": "v1", "student-b": None}
    assert document.slots["student-a"].serves
    assert state(world).record("v1").state == "unfit"
    assert actions(world).count("version.taken_up") == 1


def test_each_better_round_takes_its_parents_place_until_one_is_fit(world: World) -> None:
    for version, before, after in (("v2", 0.02, 0.3), ("v3", 0.3, 0.5)):
        assert world.learned(str(state(world).unfit), before, after) == version
        document = world.turn()
        assert (document.unfit, document.stable, document.candidate) == (version, None, None)
        assert held(document) == {"student-a": version, "student-b": None}
    assert [state(world).record(v).state for v in ("v1", "v2", "v3")] == ["set_aside", "set_aside", "unfit"]
    assert [one.state for one in FileRounds(world.state).all()] == ["learned", "learned"]
    assert state(world).record("v3").line == "v1"
    assert "not fit yet" in state(world).record("v3").caveats[0]

    version = world.learned("v3", 0.5, 0.95)
    to_canary(world, version)
    assert held(world.turn()) == {"student-a": "v3", "student-b": version}
    world.evidence("t1", 60)
    world.evidence(version, 60)
    document = world.turn(5)
    assert (document.stable, document.unfit, document.previous) == (version, None, ())
    assert FileRounds(world.state).all()[0].state == "done"
    assert state(world).record("v3").state == "set_aside"
    judged, seen = state(world).record(version).caveats
    assert judged == "judged on few: a loss below 9.5 points would not be seen"
    assert seen.startswith("120 shadow pairs of the canary have none of a student before it beside them")


def test_a_round_that_is_no_better_changes_nothing(world: World) -> None:
    world.learned("v1", 0.3, 0.3 - 0.02)
    document = world.turn()
    assert (document.unfit, FileRounds(world.state).get(1).state) == ("v1", "rejected")
    assert state(world).record("v2").state == "rejected"
    with pytest.raises(Conflict, match="unfit"):
        world.conductor.operations.begin("promote", "v2", "test")


def test_a_candidate_that_its_canary_takes_back_leaves_the_unfit_one_learning(world: World) -> None:
    version = world.learned("v1", 0.5, 0.95)
    to_canary(world, version)
    world.evidence("t1", 500)
    world.evidence(version, 200, abnormal_termination=0.5)
    document = world.turn()
    assert (document.stable, document.unfit, document.candidate) == (None, "v1", None)
    assert state(world).record(version).state == "rolled_back"


def test_a_rollback_from_its_first_live_version_leaves_the_teacher_alone_and_the_unfit_one_as_it_was(
    world: World,
) -> None:
    version = live(world)
    with Moving(world):
        answer = world.conductor.acts.perform("rollback", None, "test")
    assert (answer["from"], answer["to"]) == (version, "v2")
    document = world.turn()
    assert (document.stable, document.unfit, document.previous) == (None, "v2", (version,))
    assert state(world).frozen == ("promotion",)
    assert document.slot_of("v2", "student") is not None
    with pytest.raises(Conflict, match="teacher answers alone already"):
        world.conductor.acts.perform("rollback", None, "test")
    with Moving(world):
        world.conductor.acts.perform("promote", version, "test")
    assert world.turn().stable == version
    assert [state(world).record(v).state for v in ("v2", version)] == ["set_aside", "live"]


def live(world: World) -> str:
    """A version of the line that is live: v1 -> v2 (unfit) -> v3."""
    world.learned("v1", 0.02, 0.3)
    world.turn()
    version = world.learned("v2", 0.3, 0.95)
    to_live(world, version, "t1")
    return version


def test_a_rollback_while_its_first_candidate_is_on_its_way_takes_it_back(world: World) -> None:
    version = world.learned("v1", 0.5, 0.95)
    to_canary(world, version)
    with Moving(world):
        world.conductor.acts.perform("rollback", None, "test")
    document = world.turn()
    assert (document.stable, document.unfit, document.candidate) == (None, "v1", None)
    assert state(world).record(version).state == "rolled_back"


def test_promotion_by_hand_wants_force_says_so_and_can_be_undone(world: World) -> None:
    with pytest.raises(Conflict, match=r"v1 is unfit.*--force"):
        world.conductor.acts.perform("promote", "v1", "test")
    with Moving(world):
        answer = world.conductor.acts.perform("promote", "v1", "test", force=True)
    assert answer["caveats"] == ["promoted by force: it was never found fit"]
    assert world.turn().stable == "v1"
    with Moving(world):
        world.conductor.acts.perform("rollback", None, "test")
    document = world.turn()
    assert (document.stable, document.unfit, state(world).record("v1").state) == (None, "v1", "unfit")


def test_a_rollback_goes_to_no_version_that_never_was_fit_but_the_last(world: World) -> None:
    live(world)
    with pytest.raises(Conflict, match="v1 is unfit"):
        world.conductor.operations.begin("rollback", "v1", "test")
    assert world.conductor.operations.begin("rollback", "v2", "test").target == "v2"


def test_a_second_cut_learns_from_then_on_and_the_first_line_goes_on_where_it_was_when_named(world: World) -> None:
    world.learned("v1", 0.02, 0.3)
    world.turn()
    second = cut(world.state, "another cut")
    document = world.turn()
    assert (document.unfit, state(world).record("v2").state) == (second, "set_aside")
    world.rollout = world.rollout.model_copy(update={"first_student": "v1"})
    world.start()
    document = world.turn()
    assert (document.unfit, state(world).record(second).state) == ("v2", "set_aside")
    cut(world.state, "a third cut")
    assert world.turn().unfit == "v2"


def test_a_second_cut_waits_for_the_round_under_way(world: World) -> None:
    FileRounds(world.state).begin("v1", "t1", "under way")
    cut(world.state, "another cut")
    assert world.turn().unfit == "v1"
    FileRounds(world.state).fail(1, {"why": "test"})
    assert world.turn().unfit == "v2"


def test_a_cut_beside_a_live_student_learns_nothing_and_takes_no_place(state_dir: StateDir) -> None:
    teacher(state_dir)
    world = World(state_dir)
    world.turn()
    cut(state_dir)
    document = world.turn()
    assert (document.stable, document.previous, document.unfit) == ("v2", ("v1",), None)
    assert state(world).record("v3").state == "registered"


def test_a_student_that_somebody_imports_is_live_and_ends_the_unfit_ones_turn(world: World) -> None:
    register(world.state, "imported")
    document = world.turn()
    assert (document.stable, document.unfit, state(world).record("v1").state) == ("v2", None, "set_aside")
    assert document.slot_of("v2", "student") is not None


def test_a_version_that_answered_by_force_is_no_former_one(world: World) -> None:
    world.learned("v1", 0.02, 0.3)
    world.turn()
    with Moving(world):
        world.conductor.acts.perform("promote", "v1", "test", force=True)
    register(world.state, "imported")
    with Moving(world):
        world.conductor.acts.perform("promote", "v3", "test")
    document = world.turn()
    assert (document.stable, document.previous) == ("v3", ())
    assert answered(document, Ask("student:v1", "s", "r")) == "model_not_found"
    with Moving(world):
        answer = world.conductor.acts.perform("rollback", None, "test")
    document = world.turn()
    assert (answer["to"], document.stable, document.unfit) == ("v2", None, "v2")


def test_a_rollback_from_a_version_by_force_leaves_it_in_no_slot(world: World) -> None:
    world.learned("v1", 0.02, 0.3)
    world.turn()
    with Moving(world):
        world.conductor.acts.perform("promote", "v1", "test", force=True)
    assert answered(world.turn(), Ask("student:v1", "s", "r")) == "v1"
    with Moving(world):
        world.conductor.acts.perform("rollback", None, "test")
    document = world.turn()
    assert (document.stable, document.unfit, document.previous) == (None, "v2", ())
    assert answered(document, Ask("student:v1", "s", "r")) == "model_not_found"


@pytest.mark.parametrize("beside", ["cut", "live"])
def test_a_version_that_was_never_fit_answers_for_no_arm_of_the_configuration_that_pins_it(
    state_dir: StateDir, beside: str, caplog: pytest.LogCaptureFixture
) -> None:
    world = beginning(state_dir)
    if beside == "cut":
        cut(state_dir, "another cut")
    else:
        register(state_dir, "imported")
    file = Experiment.model_validate({"id": "e", "arms": {"teacher": 0.5, "student:v1": 0.5}})
    world.router = RouterConfig(experiments=(file,))
    world.start()
    document = world.turn(5)
    assert (document.unfit or document.stable, state(world).pinned) == ("v2", None)
    asks = [Ask("student:v1", "s", "r"), *(Ask("auto", "s", "r", f"user-{n}") for n in range(100))]
    assert "v1" not in {answered(document, ask) for ask in asks}
    (told,) = [one["details"] for one in FileAuditLog(state_dir.audit).entries() if one["action"] == "experiment.phase"]
    assert told["unfit"] == "v1"
    assert "pins v1, which was never fit and answers nobody" in caplog.text


def answered(document: RoutingDocument, ask: Ask) -> str:
    """The version that answers; the error's code where none does."""
    try:
        return route(document, ask).version
    except UnderstudyError as error:
        return error.code


def test_an_unfit_student_that_no_slot_can_load_gives_way_to_the_one_before(world: World) -> None:
    world.learned("v1", 0.02, 0.3)
    world.fleet.refuse["v2"] = "fingerprint differs"
    world.fleet._loaded["student-a"] = None
    document = world.turn(6)
    assert (document.unfit, state(world).record("v2").state) == ("v1", "bad")


def test_a_live_version_that_no_slot_can_load_gives_way_to_the_teacher_alone(world: World) -> None:
    version = live(world)
    world.fleet._loaded["student-b"] = None
    world.fleet.refuse[version] = "weights differ"
    document = world.turn(6)
    assert (document.stable, document.unfit, state(world).record("v2").state) == (None, "v2", "unfit")


@pytest.mark.parametrize("lost", [False, True])
def test_a_restart_finds_the_unfit_state_as_it_was_and_so_does_one_that_lost_its_state(
    world: World, lost: bool
) -> None:
    world.learned("v1", 0.02, 0.3)
    before = world.turn()
    if lost:
        for path in Path(world.state.registry).glob("rollout*.json"):
            path.unlink()
    world.start()
    after = world.turn()
    assert (after.unfit, after.stable, after.slots) == (before.unfit, before.stable, before.slots)
    assert [state(world).record(v).state for v in ("v1", "v2")] == ["set_aside", "unfit"]
    with pytest.raises(Conflict, match="unfit"):
        world.conductor.operations.begin("promote", "v2", "test")


def test_state_and_log_lost_together_make_no_unfit_version_live(world: World) -> None:
    world.learned("v1", 0.02, 0.3)
    world.turn()
    for path in [*world.state.registry.glob("rollout*.json"), *world.state.registry.glob("audit.jsonl*")]:
        path.unlink()
    for path in world.state.registry.glob("routing/*"):
        path.unlink()
    world.start()
    document = world.turn()
    assert document.stable is None
    assert document.unfit in ("v1", "v2")


def test_the_line_and_its_beginning_are_kept_and_what_lies_between_is_archived(state_dir: StateDir) -> None:
    teacher(state_dir)
    world = World(state_dir, students=(), keep_versions=4)
    cut(state_dir)
    world.turn()
    for step in range(8):
        world.learned(str(state(world).unfit), 0.05 * step, 0.05 * step + 0.05)
        world.start()  # its first tick looks at what may go
        world.turn()
    assert state(world).unfit == "v9"
    assert {"v1", "v9"} <= Registry(state_dir).names()
    assert not {"v2", "v3"} & Registry(state_dir).names()
    assert "v9" in in_use(world.conductor.deployment)
