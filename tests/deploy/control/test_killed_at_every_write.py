"""A controller killed before any of its writes: its successor finds state, document, round and audit log agreed.

The writes are counted by the process itself, as the interpreter reports them, so that one that is added is tested.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import traceback
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from ab.experiment import Experiment
from deploy.life.kept.rebuild import rebuild
from deploy.rounds.store import FileRounds
from deploy.witness.collect import verify
from tests.deploy.fleet import World, actions, cut, teacher, to_canary
from understudy.state import StateDir

CHANGES = ("os.rename", "os.link", "os.remove", "os.truncate", "os.mkdir", "os.symlink", "os.rmdir")
KILLED, WENT_THROUGH = 9, 7
MOST = 400
"""More writes than any of these acts makes."""


def die_before_write(number: int, state: StateDir) -> None:
    """End this process, as by SIGKILL, at the write `number` (from 1) below `state`, beats aside."""
    left = [number]

    def watch(event: str, given: tuple[object, ...]) -> None:
        if event == "open":
            flags = given[2] if isinstance(given[2], int) else 0
            writes = bool(flags & (os.O_WRONLY | os.O_RDWR))
        else:
            writes = event in CHANGES
        path = given[0] if given else None
        if writes and isinstance(path, str | os.PathLike) and _counts(Path(path), state):
            left[0] -= 1
            if left[0] == 0:
                os._exit(KILLED)

    sys.addaudithook(watch)


def _counts(path: Path, state: StateDir) -> bool:
    return path.is_relative_to(state.registry)


def in_child(work: Callable[[], int]) -> int:
    """The exit code of `work` in a process of its own; 1 with a traceback where it raised."""
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            code = work()
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


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


def killed_everywhere(
    world: World, act: Callable[[World], object], check: Callable[[World], None], folder: Path, said: Callable[[], str]
) -> int:
    """Kill `act` before each of its writes, each time on the same state, and `check` the successor; how many writes."""
    before = folder / "before"
    shutil.copytree(world.state.root, before)

    def killed(number: int) -> int:
        die_before_write(number, world.state)
        act(world)
        return 0

    def trial(number: int) -> int:
        os.fsync = lambda _: None  # what a kill leaves the kernel has; a disk would only make this slow
        code = in_child(lambda: killed(number))
        assert code in (0, KILLED), f"write {number}: exit code {code}"
        world.start()
        world.turn(5)
        check(world)
        return WENT_THROUGH if code == 0 else 0

    for number in range(1, MOST):
        shutil.rmtree(world.state.root)
        shutil.copytree(before, world.state.root)
        code = in_child(lambda number=number: trial(number))
        assert code in (0, WENT_THROUGH), f"killed before write {number}: {said()}"
        if code == WENT_THROUGH:
            return number
    raise AssertionError("it never went through")


@pytest.mark.parametrize("act", [promotion, rollback])
def test_state_document_round_and_audit_agree_after_a_kill_at_any_write(
    world: World, act: Callable[[World], None], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    version = world.candidate()
    to_canary(world, version)
    if act is promotion:
        world.evidence(version, 60)
    writes = killed_everywhere(world, act, agreed, tmp_path, lambda: capfd.readouterr().err)
    assert writes > 15, "an act that writes less was not the one that is meant"


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


def test_an_unfit_students_better_round_is_taken_up_once_after_a_kill_at_any_write(
    state_dir: StateDir, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    teacher(state_dir)
    world = World(state_dir, students=())
    cut(state_dir)
    world.turn()
    world.learned("v1", 0.02, 0.3)
    writes = killed_everywhere(world, learning, unfit_agrees, tmp_path, lambda: capfd.readouterr().err)
    assert writes > 6, "an act that writes less was not the one that is meant"


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


def test_a_rollback_to_the_teacher_alone_is_done_or_not_begun_after_a_kill_at_any_write(
    state_dir: StateDir, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    teacher(state_dir)
    world = World(state_dir, students=())
    cut(state_dir)
    world.turn()
    version = world.learned("v1", 0.5, 0.95)
    to_canary(world, version)
    world.evidence("t1", 60)
    world.evidence(version, 60)
    assert world.turn(5).stable == version
    writes = killed_everywhere(world, back_to_teacher, teacher_agrees, tmp_path, lambda: capfd.readouterr().err)
    assert writes > 6, "an act that writes less was not the one that is meant"


EXPERIMENT = Experiment(id="a", arms={"teacher": 0.5, "student": 0.5})


def apply(world: World) -> None:
    world.conductor.acts.apply(EXPERIMENT, "test")


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


def test_a_purge_that_was_begun_is_gone_on_with_after_a_kill(
    world: World, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    to_canary(world, world.candidate())
    rows = world.state.rounds / "1" / "select"
    rows.mkdir(exist_ok=True)
    (rows / "train.jsonl").write_text("".join(json.dumps({"tenant": name}) + "\n" for name in ("acme", "other")))
    writes = killed_everywhere(world, purge, purge_agrees, tmp_path, lambda: capfd.readouterr().err)
    assert writes > 10, "an act that writes less was not the one that is meant"


@pytest.mark.parametrize(
    ("act", "check"), [(apply, experiments_agree), (stop, experiments_agree), (abort, abort_agrees)]
)
def test_what_an_operator_asked_for_is_done_and_told_or_neither(
    world: World, act: Callable[[World], None], check: Callable[[World], None], tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    if act is stop:
        apply(world)
    elif act is abort:
        to_canary(world, world.candidate())
    writes = killed_everywhere(world, act, check, tmp_path, lambda: capfd.readouterr().err)
    assert writes > 6, "an act that writes less was not the one that is meant"
