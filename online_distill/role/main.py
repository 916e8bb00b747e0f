"""`understudy train`: resumes an open round, else waits for a reason to begin one.

Its death touches nobody: what serving needs is in the registry, what a round needs is in its folder.
"""

from __future__ import annotations

import argparse
import logging
import threading
from pathlib import Path

from deploy.rounds.store import FileRounds
from online_distill import models
from online_distill.role.config import TrainerConfig
from online_distill.role.context import Stopped
from online_distill.role.loop import install_stop, loop
from online_distill.role.trainer import Trainer
from understudy import logs
from understudy.config import load_config
from understudy.errors import ConfigError, UnderstudyError
from understudy.process.lock import ProcessLock
from understudy.process.priority import yield_cpu
from understudy.state import DEFAULT_STATE, StateDir
from understudy.telemetry.config import TelemetryConfig
from understudy.telemetry.metrics import MetricsPage
from understudy.telemetry.server import shown

log = logging.getLogger("understudy.trainer")


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
    parser.add_argument("--json", action="store_true", help="accepted for symmetry with other commands")
    given = parser.parse_args(argv)
    logs.set_up()
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
        page = MetricsPage("trainer")
        trainer.figures.show(page)
        with shown(page, "trainer", state, config.section(TelemetryConfig)):
            log.info("the trainer runs on %s", state.root)
            loop(trainer.tick, stop, settings.poll_seconds)
        return 0


def _once(trainer: Trainer, state: StateDir) -> int:
    try:
        trainer.tick(now=True)
    except Stopped:
        return 0
    except UnderstudyError as error:
        log.error(error.message)
        return error.exit_code
    newest = FileRounds(state).all()
    return 0 if newest and newest[0].state not in ("failed", "rejected") else 1
