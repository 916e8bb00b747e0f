"""`understudy train`: resumes an open round, else waits for a reason to begin one.

Its death touches nobody: what serving needs is in the registry, what a round needs is in its folder.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import FrameType

from deploy.engines.external import as_configured, external_engines
from deploy.registry.config import RegistryConfig
from deploy.registry.store import Registry
from deploy.rounds.store import Round, RoundStore
from deploy.routing.document import EXTERNAL, RoutingDocument, SlotView
from deploy.routing.store import RoutingStore
from feedback.pool.config import PoolConfig
from feedback.store.connection import find_redis
from online_distill import models
from online_distill.data.encoding import require_shared_tokenizer
from online_distill.data.source import PoolSource, Requests
from online_distill.role.config import TrainerConfig
from online_distill.role.context import Context, Source, Stopped
from online_distill.role.runner import run_round
from online_distill.role.stages.table import STAGES
from online_distill.role.trigger import Situation, reason_to_begin
from online_distill.teacher.local import LocalScorer
from online_distill.teacher.scorer import EngineScorer, Scorer
from understudy.config import Config, load_config
from understudy.errors import ConfigError, Conflict, NotFound, Unavailable, UnderstudyError
from understudy.process.lock import ProcessLock
from understudy.process.priority import yield_cpu
from understudy.state import DEFAULT_STATE, StateDir

STOP_SECONDS = 3.0
"""After this a stop does not wait for the step under way; the round resumes from its last checkpoint."""
RETRY_SECONDS = 5.0


def log(text: str) -> None:
    """One line on stderr."""
    print(f"trainer: {text}", file=sys.stderr, flush=True)


class Trainer:
    """The role's loop, one decision at a time."""

    def __init__(self, state: StateDir, config: Config, stop: threading.Event, source: Source | None = None) -> None:
        self._state, self._stop = state, stop
        self._config = config.section(TrainerConfig)
        self._external = external_engines(config)
        self._registry = Registry(state, trusted=config.section(RegistryConfig).trusted_keys)
        self._rounds = RoundStore(state)
        redis = find_redis(config, state)
        url, prefix = redis.url, redis.prefix
        self._routes = RoutingStore(state, url, prefix)
        self._requests = Requests(url, prefix)
        self._source = source or PoolSource(url, prefix, config.section(PoolConfig))

    def tick(self, now: bool = False) -> bool:
        """Resume or begin a round when there is reason to (`now`: in any case); True when a stage was run.

        Raises:
            Unavailable: a part is away; call again later.
            NotFound: `now`, and there is no student to train.
            Conflict: `now`, and no round can begin.
        """
        current = self._rounds.current()
        if current is None:
            current = self._begin(now)
        if current is None or current.state not in STAGES:
            if now:
                raise Conflict(_why_not(current))
            return False
        log(f"round {current.id}: {current.state} ({current.why})")
        done = run_round(self._context(current))
        last = done.stages[next(reversed(done.stages))].summary
        log(f"round {done.id}: now {done.state}" + (f": {last['error']}" if "error" in last else ""))
        return True

    def _begin(self, now: bool) -> Round | None:
        document = self._routes.read()
        parent, teacher = self._parent(document), self._teacher(document)
        requested = self._requests.read()
        situation = Situation(
            fresh=0 if now or requested is not None or parent is None else self._fresh(parent),
            requested="by hand" if now else requested,
            frozen=document is not None and "learning" in document.frozen,
            parent=parent,
        )
        why = reason_to_begin(situation, self._config.min_fresh)
        if now and parent is None:
            raise NotFound("there is no student version in the registry to train; register one first")
        if why is None or parent is None:
            return None
        begun = self._rounds.begin(parent, teacher, why)
        self._requests.clear()
        return begun

    def _fresh(self, parent: str) -> int:
        selects = [found.stages["select"] for found in self._rounds.all() if "select" in found.stages]
        position = int(selects[0].summary.get("position", 0)) if selects else 0
        return self._source.fresh_since(position, parent, self._config.min_fresh)

    def _parent(self, document: RoutingDocument | None) -> str | None:
        if document is not None and document.stable not in (None, EXTERNAL):
            return document.stable
        return next((m.version for m in self._registry.versions() if m.kind == "student"), None)

    def _teacher(self, document: RoutingDocument | None) -> str:
        if document is not None:
            return document.teacher
        return next((m.version for m in self._registry.versions() if m.kind == "teacher"), EXTERNAL)

    def _context(self, current: Round) -> Context:
        return Context(
            round=current, rounds=self._rounds, registry=self._registry, config=self._config, source=self._source,
            make_scorer=self._scorer, stopped=self._stop.is_set,
        )  # fmt: skip

    def _scorer(self, current: Round) -> Scorer:
        if current.teacher != EXTERNAL:
            require_shared_tokenizer(self._registry.path(current.teacher), self._registry.path(current.parent))
        if self._config.scorer == "local":
            self._registry.verify(current.teacher)
            device = models.pick_device(self._config.device)
            return LocalScorer(self._registry.path(current.teacher), top_k=self._config.top_k, device=device)
        return EngineScorer(
            self._teacher_slot, self._state.engine_key, current.teacher, top_k=self._config.top_k,
            busy_running=self._config.busy_running, wait_share=self._config.wait_share,
        )  # fmt: skip

    def _teacher_slot(self) -> SlotView | None:
        document = self._routes.read()
        return None if document is None else as_configured(document, self._external).slots.get("teacher")


def _why_not(current: Round | None) -> str:
    """Why no round begins although one was asked for."""
    if current is None:
        return "learning is frozen, so no round begins; `understudy resume learning` ends that"
    return f"round {current.id} is at its stage {current.state}, which the controller ends; a round begins after it"


def loop(trainer: Trainer, stop: threading.Event, poll_seconds: float) -> None:
    """Tick until stopped; parts that are away are waited for."""
    said = ""
    while not stop.is_set():
        pause = poll_seconds
        try:
            trainer.tick()
            said = ""
        except Stopped:
            return
        except Unavailable as error:
            if error.message != said:
                log(error.message)
            said, pause = error.message, RETRY_SECONDS
        stop.wait(pause)


def install_stop(stop: threading.Event, exit_now: Callable[[int], object] = os._exit) -> None:
    """Let SIGTERM and SIGINT end the process in order, and soon in any case."""

    def on_signal(number: int, frame: FrameType | None) -> None:
        stop.set()
        timer = threading.Timer(STOP_SECONDS, exit_now, args=(0,))
        timer.daemon = True
        timer.start()

    signal.signal(signal.SIGTERM, on_signal)
    signal.signal(signal.SIGINT, on_signal)


def main(argv: list[str]) -> int:
    """Entry point of the role. Exit code 0 stopped or (`--once`) handed to the gate, 1 failed, 2 wrong usage."""
    parser = argparse.ArgumentParser(
        prog="understudy train",
        description="Distil the student on the hard pool, in rounds.",
        epilog="example: understudy train --state .understudy --once",
    )
    parser.add_argument("--state", type=Path, default=DEFAULT_STATE, help="state directory (default .understudy)")
    parser.add_argument("--config", type=Path, help="configuration file")
    parser.add_argument("--once", action="store_true", help="run one round now, hand it to the gate and end")
    given = parser.parse_args(argv)
    config = load_config(given.config)
    settings = config.section(TrainerConfig)
    if not given.state.is_dir():
        raise ConfigError(f"the state directory {given.state} does not exist; `understudy up` creates it")
    state = StateDir(given.state)
    refusal = f"a trainer runs in {state.root} already, with process id {{pid}}: `understudy rounds start` asks it"
    with ProcessLock(state.run / "trainer.lock", refusal):
        stop = threading.Event()
        install_stop(stop)
        yield_cpu(settings.nice)
        models.prepare(settings.threads)
        trainer = Trainer(state, config, stop)
        if given.once:
            return _once(trainer, state)
        loop(trainer, stop, settings.poll_seconds)
        return 0


def _once(trainer: Trainer, state: StateDir) -> int:
    try:
        trainer.tick(now=True)
    except Stopped:
        return 0
    except UnderstudyError as error:
        log(error.message)
        return error.exit_code
    newest = RoundStore(state).all()
    return 0 if newest and newest[0].state not in ("failed", "rejected") else 1
