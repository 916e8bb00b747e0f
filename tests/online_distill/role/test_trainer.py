"""The role: begins for a reason, resumes after kill -9, waits for Redis, stops when told."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import redis
import yaml

from deploy.registry.store import Registry
from deploy.rounds.store import RoundStore
from deploy.routing.document import RoutingDocument
from deploy.routing.store import RoutingStore
from feedback.pool.config import PoolConfig
from feedback.pool.store import Pool
from online_distill.role.main import main
from online_distill.role.stages.table import STAGES
from online_distill.role.trainer import Trainer
from online_distill.role.trigger import Situation, reason_to_begin
from tests.online_distill.world import make_model, make_samples, register_model
from tests.waiting import eventually
from understudy.config import load_config
from understudy.errors import Conflict, NotFound, Unavailable
from understudy.process.lock import ProcessLock
from understudy.state import StateDir

SETTINGS = {
    "budget_seconds": 20, "max_epochs": 2, "batch_tokens": 256, "min_fresh": 30, "scorer": "local", "device": "cpu",
    "learning_rate": 0.003, "holdout_share": 0.25, "poll_seconds": 0.1, "warmup_steps": 1, "nice": 0,
}  # fmt: skip

KILLED_AT_EACH_STAGE = """
import os, signal, sys
from deploy.rounds.store import RoundStore
from online_distill.role.main import main
from online_distill.role.stages.table import STAGES
finish = RoundStore.finish
for last in [*STAGES, None]:
    child = os.fork()
    if child == 0:
        def finish_or_die(self, number, stage, *rest):
            if stage == last:
                os.kill(os.getpid(), signal.SIGKILL)
            return finish(self, number, stage, *rest)
        RoundStore.finish = finish_or_die
        os._exit(main([*sys.argv[1:], "--once"]))
    print("end:", last, os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""
"""A trainer that dies when a stage has done its work and not yet said so; the next one dies a stage later."""


@pytest.fixture
def config_file(tmp_path: Path, state_dir: StateDir, redis_url: str) -> Path:
    """A configuration, and a registry that holds t1 and v1."""
    registry = Registry(state_dir)
    register_model(registry, make_model(tmp_path / "t1", seed=1), "t1", "teacher")
    register_model(registry, make_model(tmp_path / "v1", seed=2), "v1", "student")
    path = tmp_path / "understudy.yaml"
    path.write_text(yaml.safe_dump({"redis": {"url": redis_url}, "trainer": SETTINGS}))
    return path


def fill(redis_url: str, n: int) -> None:
    """Put `n` distinct hard samples and as many anchors into the pool."""
    pool = Pool(redis.Redis.from_url(redis_url), config=PoolConfig(duplicate_similarity=1.0))
    for sample in make_samples(n):
        pool.admit(sample)
    for sample in make_samples(n, start=5000):
        pool.anchor(sample.model_copy(update={"weight": 1.0}))


def trainer(state: StateDir, config_file: Path) -> Trainer:
    return Trainer(state, load_config(config_file, {}), threading.Event())


@pytest.mark.parametrize(
    ("now", "begins"),
    [
        (Situation(fresh=29, requested=None, frozen=False, parent="v1"), False),
        (Situation(fresh=30, requested=None, frozen=False, parent="v1"), True),
        (Situation(fresh=0, requested="operator", frozen=False, parent="v1"), True),
        (Situation(fresh=99, requested="operator", frozen=True, parent="v1"), False),
        (Situation(fresh=99, requested=None, frozen=False, parent=None), False),
    ],
)
def test_a_round_begins_for_a_reason(now: Situation, begins: bool) -> None:
    assert (reason_to_begin(now, min_fresh=30) is not None) == begins


def test_enough_fresh_samples_begin_a_round_and_the_next_counts_from_there(
    state_dir: StateDir, config_file: Path, redis_url: str
) -> None:
    role = trainer(state_dir, config_file)
    assert role.tick() is False
    fill(redis_url, 60)
    assert role.tick() is True
    found = RoundStore(state_dir).get(1)
    assert (found.state, found.candidate, found.parent, found.teacher) == ("gate", "v2", "v1", "t1")
    assert role.tick() is False
    RoundStore(state_dir).finish(1, "gate", {}, "rejected")
    assert role.tick() is False
    assert len(RoundStore(state_dir).all()) == 1


def test_what_another_student_failed_begins_no_round(state_dir: StateDir, config_file: Path, redis_url: str) -> None:
    pool = Pool(redis.Redis.from_url(redis_url), config=PoolConfig(duplicate_similarity=1.0))
    for sample in make_samples(60):
        pool.admit(sample.model_copy(update={"student": "v0"}))
    assert trainer(state_dir, config_file).tick() is False
    assert RoundStore(state_dir).all() == []


def test_a_request_begins_a_round_once(state_dir: StateDir, config_file: Path, redis_url: str) -> None:
    fill(redis_url, 24)
    client = redis.Redis.from_url(redis_url)
    client.set("us:round:request", "operator")
    role = trainer(state_dir, config_file)
    assert role.tick() is True
    assert RoundStore(state_dir).get(1).why == "operator"
    assert client.get("us:round:request") is None


def test_redis_away_is_unavailable_and_no_round(state_dir: StateDir, config_file: Path) -> None:
    config_file.write_text(yaml.safe_dump({"redis": {"url": "redis://127.0.0.1:1"}, "trainer": SETTINGS}))
    with pytest.raises(Unavailable):
        trainer(state_dir, config_file).tick()
    assert RoundStore(state_dir).all() == []


def test_no_student_is_said(tmp_path: Path, redis_url: str) -> None:
    config = load_config(None, {"UNDERSTUDY_REDIS__URL": redis_url})
    with pytest.raises(NotFound, match="no student"):
        Trainer(StateDir(tmp_path / "empty"), config, threading.Event()).tick(now=True)


def test_a_single_round_that_cannot_begin_says_why_and_fails(
    state_dir: StateDir, config_file: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for effect in ("install_stop", "yield_cpu", "models.prepare"):  # on this very process
        monkeypatch.setattr(f"online_distill.role.main.{effect}", lambda _: None)
    words = ["--state", str(state_dir.root), "--config", str(config_file), "--once"]
    routes, rounds = RoutingStore(state_dir, None), RoundStore(state_dir)
    routes.publish(RoutingDocument(epoch=1, stable="v1", teacher="t1", frozen=("learning",)))
    assert main(words) == 1
    assert "learning is frozen" in capsys.readouterr().err
    routes.publish(RoutingDocument(epoch=2, stable="v1", teacher="t1"))
    rounds.begin("v1", "t1", "test")
    for stage in STAGES:
        rounds.finish(1, stage, {"version": "v2"})
    assert main(words) == 1
    assert "round 1 is at its stage gate" in capsys.readouterr().err
    with ProcessLock(state_dir.run / "trainer.lock", ""), pytest.raises(Conflict, match=str(os.getpid())):
        main(words)


def test_a_round_ends_although_the_trainer_is_killed_at_the_end_of_each_stage(
    state_dir: StateDir, config_file: Path, redis_url: str
) -> None:
    fill(redis_url, 60)
    code = [sys.executable, "-c", KILLED_AT_EACH_STAGE, "--state", str(state_dir.root), "--config", str(config_file)]
    done = subprocess.run(code, env=environment(), capture_output=True, text=True, timeout=150)
    ends = [line for line in done.stdout.splitlines() if line.startswith("end: ")]
    assert ends == [*(f"end: {stage} -9" for stage in STAGES), "end: None 0"], done.stderr[-2000:]
    found = RoundStore(state_dir).all()
    assert [(one.id, one.state, one.candidate) for one in found] == [(1, "gate", "v2")]
    assert Registry(state_dir).verify("v2").round == 1
    assert {m.version for m in Registry(state_dir).versions()} == {"t1", "v1", "v2"}


def test_the_role_stops_on_sigterm_in_the_middle_of_a_round_and_resumes(
    state_dir: StateDir, config_file: Path, redis_url: str
) -> None:
    fill(redis_url, 60)
    rounds = RoundStore(state_dir)
    for state in ("score", "gate"):
        role = start(state_dir, config_file)
        try:
            eventually(lambda state=state: rounds.all() and reached(rounds, state), 120, f"the round at {state}")  # type: ignore[misc]
            role.send_signal(signal.SIGTERM)
            assert role.wait(timeout=30) == 0
        finally:
            role.kill()
            role.wait()
    assert [one.id for one in rounds.all()] == [1]


def reached(rounds: RoundStore, state: str) -> bool:
    """Whether round 1 is at `state` or further."""
    return rounds.get(1).state == state or state in rounds.get(1).stages


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}


def start(state: StateDir, config_file: Path) -> subprocess.Popen[bytes]:
    code = "import sys; from online_distill.role.main import main; sys.exit(main(sys.argv[1:]))"
    command = [sys.executable, "-c", code, "--state", str(state.root), "--config", str(config_file)]
    return subprocess.Popen(command, env=environment())
