"""The role as a process: refuses what it cannot do, ends a round whatever kills it, stops when told."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.registry.store import Registry
from deploy.rounds.store import FileRounds
from deploy.routing.document import RoutingDocument
from deploy.routing.stores import open_routing
from online_distill.role.main import main
from online_distill.role.stages.table import STAGES
from tests.online_distill.role.pool import fill
from tests.waiting import eventually
from understudy.errors import Conflict
from understudy.process.lock import ProcessLock
from understudy.state import StateDir

KILLED_AT_EACH_STAGE = """
import os, signal, sys
from deploy.rounds.store import FileRounds
from online_distill.role.main import main
from online_distill.role.stages.table import STAGES
finish = FileRounds.finish
for last in [*STAGES, None]:
    child = os.fork()
    if child == 0:
        def finish_or_die(self, number, stage, *rest):
            if stage == last:
                os.kill(os.getpid(), signal.SIGKILL)
            return finish(self, number, stage, *rest)
        FileRounds.finish = finish_or_die
        os._exit(main([*sys.argv[1:], "--once"]))
    print("end:", last, os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""
"""A trainer that dies when a stage has done its work and not yet said so; the next one dies a stage later."""

STARTED_TWICE = """
import ctypes, os, signal, sys
from online_distill.role.main import main
for _ in range(2):
    child = os.fork()
    if child == 0:
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # no role outlives the test
        os._exit(main(sys.argv[1:]))
    print(child, flush=True)
    print("end:", os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""
"""The role, started again when it ended; what it imports is loaded once."""


def test_a_single_round_that_cannot_begin_says_why_and_fails(
    state_dir: StateDir, config_file: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    for effect in ("install_stop", "models.prepare"):  # on this very process
        monkeypatch.setattr(f"online_distill.role.main.{effect}", lambda _: None)
    words = ["--state", str(state_dir.root), "--config", str(config_file), "--once"]
    documents, rounds = open_routing(state_dir, None).documents, FileRounds(state_dir)
    documents.publish(RoutingDocument(epoch=1, stable="v1", teacher="t1", frozen=("learning",)))
    assert main(words) == 1
    assert "learning is frozen" in caplog.text
    documents.publish(RoutingDocument(epoch=2, stable="v1", teacher="t1"))
    rounds.begin("v1", "t1", "test")
    for stage in STAGES:
        rounds.finish(1, stage, {"version": "v2"})
    assert main(words) == 1
    assert "round 1 is at its stage gate" in caplog.text
    with ProcessLock(state_dir.run / "trainer.lock", ""), pytest.raises(Conflict, match=str(os.getpid())):
        main(words)


def test_a_round_ends_although_the_trainer_is_killed_at_the_end_of_each_stage(
    state_dir: StateDir, config_file: Path, redis_url: str
) -> None:
    fill(redis_url, 60)
    code = [sys.executable, "-c", KILLED_AT_EACH_STAGE, "--state", str(state_dir.root), "--config", str(config_file)]
    done = subprocess.run(code, env=environment(), capture_output=True, text=True, timeout=600)
    ends = [line for line in done.stdout.splitlines() if line.startswith("end: ")]
    assert ends == [*(f"end: {stage} -9" for stage in STAGES), "end: None 0"], done.stderr[-2000:]
    found = FileRounds(state_dir).all()
    assert [(one.id, one.state, one.candidate) for one in found] == [(1, "gate", "v2")]
    assert Registry(state_dir).verify("v2").round == 1
    assert {m.version for m in Registry(state_dir).versions()} == {"t1", "v1", "v2"}


def test_the_role_stops_on_sigterm_in_the_middle_of_a_round_and_resumes(
    state_dir: StateDir, config_file: Path, redis_url: str
) -> None:
    fill(redis_url, 60)
    rounds = FileRounds(state_dir)
    code = [sys.executable, "-c", STARTED_TWICE, "--state", str(state_dir.root), "--config", str(config_file)]
    with subprocess.Popen(code, env=environment(), stdout=subprocess.PIPE, text=True) as started:
        assert started.stdout is not None
        try:
            for state in ("score", "gate"):
                role = int(started.stdout.readline())
                eventually(lambda state=state: rounds.all() and reached(rounds, state), 120, f"the round at {state}")  # type: ignore[misc]
                os.kill(role, signal.SIGTERM)
                assert started.stdout.readline() == "end: 0\n"
        finally:
            started.kill()
    assert [one.id for one in rounds.all()] == [1]


def reached(rounds: FileRounds, state: str) -> bool:
    """Whether round 1 is at `state` or further."""
    return rounds.get(1).state == state or state in rounds.get(1).stages


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
