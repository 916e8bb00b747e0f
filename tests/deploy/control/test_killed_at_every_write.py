"""A controller killed before any of its writes: its successor finds state, document, round and audit log agreed.

`prepare`, `act` and `check` of every test here are called in other processes (tests/deploy/killing.py).
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from ab.experiment import Experiment
from deploy.life.kept.rebuild import rebuild
from deploy.rounds.store import FileRounds
from deploy.witness.collect import verify
from tests.deploy.fleet import World, actions, beginning, settled, to_canary, to_live
from tests.deploy.killing import killed_everywhere
from understudy.state import StateDir


def in_canary(state: StateDir) -> World:
    world = settled(state)
    to_canary(world, world.candidate())
    return world


def at_its_end(state: StateDir) -> World:
    """In a canary of which enough is known."""
    world = in_canary(state)
    world.evidence("v3", 60)
    return world


def promotion(world: World) -> None:
    world.turn(5)


def rollback(world: World) -> None:
    world.conductor.operations.begin("rollback", None, "test")
    world.turn(5)


def agreed(world: World) -> None:
    """What holds after any kill, once the successor has settled."""
    state, document = world.conductor.deployment.state, world.conductor.document
    assert document is not None
    assert (document.stable, document.previous) == (state.stable, state.previous)
    assert document.candidate == (state.canary.version if state.canary else None)
    entries = list(world.conductor.deployment.audit.entries())
    told = Counter((e["details"]["version"], e["action"].removeprefix("version.")) for e in entries if _moves(e))
    happened = Counter((v, h["event"]) for v, record in state.versions.items() for h in record.history)
    assert told == happened
    replayed = rebuild(None, entries, 0.0)
    assert (replayed.stable, replayed.frozen) == (state.stable, state.frozen)
    (number,) = (one.id for one in FileRounds(world.state).all())
    done = Counter(actions(world))
    assert done["rollback.begun"] == done["rollback.done"]
    assert done["rollback.failed"] == 0
    verify(world.state)
    version, ended = f"v{number + 2}", FileRounds(world.state).get(number).state
    if state.stable == version:
        assert (ended, done["version.promoted"]) == ("done", 1)
    elif state.stable == "v1":
        assert (ended, done["version.restored"], state.record(version).state) == ("rolled_back", 1, "rolled_back")
    else:
        assert (ended, done["rollback.begun"], state.record(version).state) == ("canary", 0, "canary")


def _moves(entry: dict[str, object]) -> bool:
    return str(entry["action"]).startswith("version.") and entry["action"] not in (
        "version.registered", "version.refused",
    )  # fmt: skip


@pytest.mark.parametrize(("prepare", "act"), [(at_its_end, promotion), (in_canary, rollback)])
def test_state_document_round_and_audit_agree_after_a_kill_at_any_write(
    prepare: Callable[[StateDir], World], act: Callable[[World], None], tmp_path: Path
) -> None:
    writes = killed_everywhere(prepare, act, agreed, tmp_path)
    assert writes > 15, "an act that writes less was not the one that is meant"


def with_a_better_round(state: StateDir) -> World:
    world = beginning(state)
    world.learned("v1", 0.02, 0.3)
    return world


def learning(world: World) -> None:
    world.turn(5)


def unfit_agrees(world: World) -> None:
    """Whatever was written down by then, the better student has its parent's place in state, document, slot and log."""
    state, document = world.conductor.deployment.state, world.conductor.document
    assert document is not None
    assert (state.unfit, state.stable, document.unfit, document.stable) == ("v2", None, "v2", None)
    assert document.slots["student-a"].desired == "v2"
    assert (state.record("v1").state, state.record("v2").state) == ("set_aside", "unfit")
    assert FileRounds(world.state).get(1).state == "learned"
    entries = list(world.conductor.deployment.audit.entries())
    told = Counter((e["details"]["version"], e["action"].removeprefix("version.")) for e in entries if _moves(e))
    assert told == {("v1", "taken_up"): 1, ("v1", "outdone"): 1, ("v2", "learned"): 1}
    replayed = rebuild(None, entries, 0.0)
    assert (replayed.stable, replayed.unfit) == (None, "v2")
    verify(world.state)


def test_an_unfit_students_better_round_is_taken_up_once_after_a_kill_at_any_write(tmp_path: Path) -> None:
    writes = killed_everywhere(with_a_better_round, learning, unfit_agrees, tmp_path)
    assert writes > 6, "an act that writes less was not the one that is meant"


def first_live(state: StateDir) -> World:
    """The student that was cut has learned, was found fit, and went live."""
    world = beginning(state)
    version = world.learned("v1", 0.5, 0.95)
    to_live(world, version, "t1")
    return world


def back_to_teacher(world: World) -> None:
    world.conductor.operations.begin("rollback", None, "test")
    world.turn(5)


def teacher_agrees(world: World) -> None:
    """A rollback from the first live version: it did not begin, or the teacher is alone and the unfit one learns."""
    state, document, done = world.conductor.deployment.state, world.conductor.document, Counter(actions(world))
    assert document is not None
    assert (state.stable, state.learner) == (document.stable, document.unfit)
    begun = done["rollback.begun"]
    assert (begun, done["rollback.done"], state.operation) == (begun, begun, None)
    assert state.unfit == "v1"
    assert (state.stable, state.record("v2").state, state.record("v1").state) == (
        (None, "previous", "unfit") if begun else ("v2", "live", "set_aside")
    )
    replayed = rebuild(None, list(world.conductor.deployment.audit.entries()), 0.0)
    assert (replayed.stable, replayed.unfit, replayed.previous) == (state.stable, state.unfit, state.previous)


def test_a_rollback_to_the_teacher_alone_is_done_or_not_begun_after_a_kill_at_any_write(tmp_path: Path) -> None:
    writes = killed_everywhere(first_live, back_to_teacher, teacher_agrees, tmp_path)
    assert writes > 6, "an act that writes less was not the one that is meant"


EXPERIMENT = Experiment(id="a", arms={"teacher": 0.5, "student": 0.5})


def apply(world: World) -> None:
    world.conductor.acts.apply(EXPERIMENT, "test")


def applied(state: StateDir) -> World:
    world = settled(state)
    apply(world)
    return world


def stop(world: World) -> None:
    world.conductor.acts.stop_experiment("a", "test")


def abort(world: World) -> None:
    world.conductor.acts.abort_round(1, "test")


def experiments_agree(world: World) -> None:
    """The log's last word of the experiment is what is in force, once each."""
    told = [action for action in actions(world) if action in ("experiment.applied", "experiment.stopped")]
    assert told in ([], ["experiment.applied"], ["experiment.applied", "experiment.stopped"])
    runs = world.conductor.deployment.state.experiments
    phases = [phase.number for run in runs.values() for phase in run.phases]
    assert phases == [1] * actions(world).count("experiment.phase") == [1] * bool(told)
    assert [run.active for run in runs.values()] == [told[-1:] == ["experiment.applied"]] * bool(told)
    wanted = (EXPERIMENT,) if told[-1:] == ["experiment.applied"] else ()
    assert world.conductor.document is not None
    assert world.conductor.experiments.all() == wanted == world.conductor.document.experiments
    assert world.conductor.deployment.state.asked == ()
    verify(world.state)


def abort_agrees(world: World) -> None:
    """Round, candidate and log say the same of it."""
    aborted = FileRounds(world.state).get(1).state == "failed"
    told, record = Counter(actions(world)), world.conductor.deployment.state.record("v3")
    assert told["round.aborted"] == told["version.aborted"] == aborted
    assert record.state == ("rolled_back" if aborted else "canary")
    assert world.conductor.document is not None
    assert world.conductor.document.candidate == (None if aborted else "v3")
    assert world.conductor.deployment.state.asked == ()
    verify(world.state)


def nothing_there(tenant: str, until: float) -> int:
    return 0


def with_rows_of_two_tenants(state: StateDir) -> World:
    world = in_canary(state)
    rows = state.rounds / "1" / "select"
    rows.mkdir(exist_ok=True)
    (rows / "train.jsonl").write_text("".join(json.dumps({"tenant": name}) + "\n" for name in ("acme", "other")))
    return world


def purge(world: World) -> None:
    world.conductor.purges.reach(nothing_there)
    world.conductor.purges.ask("acme", 200.0, "test")


def purge_agrees(world: World) -> None:
    """Begun and ended, once each, with the versions that learned; or nothing happened, and all is as it was."""
    world.conductor.purges.reach(nothing_there)
    world.turn(2)
    told = Counter(actions(world))
    begun, lines = told["pool.purge.begun"], (world.state.rounds / "1/select/train.jsonl").read_text().splitlines()
    assert begun == told["pool.purged"] == told["round.aborted"] == (FileRounds(world.state).get(1).state == "failed")
    assert [json.loads(line)["tenant"] for line in lines if line] == (["other"] if begun else ["acme", "other"])
    entries = world.conductor.deployment.audit.entries()
    assert [e["details"]["learned"] for e in entries if e["action"] == "pool.purged"] == [["v3"]] * begun
    assert world.conductor.deployment.state.asked == ()
    verify(world.state)


def test_a_purge_that_was_begun_is_gone_on_with_after_a_kill(tmp_path: Path) -> None:
    writes = killed_everywhere(with_rows_of_two_tenants, purge, purge_agrees, tmp_path)
    assert writes > 10, "an act that writes less was not the one that is meant"


@pytest.mark.parametrize(
    ("prepare", "act", "check"),
    [(settled, apply, experiments_agree), (applied, stop, experiments_agree), (in_canary, abort, abort_agrees)],
)
def test_what_an_operator_asked_for_is_done_and_told_or_neither(
    prepare: Callable[[StateDir], World],
    act: Callable[[World], None],
    check: Callable[[World], None],
    tmp_path: Path,
) -> None:
    writes = killed_everywhere(prepare, act, check, tmp_path)
    assert writes > 6, "an act that writes less was not the one that is meant"
