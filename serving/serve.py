"""`understudy serve`: the gateway and, before engines that somebody else runs, what compares, counts and shows them.

With `redis.url` and engines of one's own one command is the whole system without learning: a worker and a controller
run beside the gateway as its children. Where `up` or an orchestrator runs each role, `--gateway-only` leaves them out.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import AsyncIterator
from pathlib import Path

from feedback.store.config import RedisConfig
from serving.control.config import ControlConfig
from serving.crew.main import run_together
from serving.doctor import running
from serving.engine.config import EnginesConfig
from serving.gateway.config import GatewayConfig
from serving.gateway.main import ServeOptions, parse, run
from serving.gateway.wiring import named
from serving.up.supervise.leftovers import Ledger
from serving.up.supervise.process import PYTHON, Role
from serving.up.supervise.restarts import Policy
from serving.up.supervise.supervisor import Supervisor
from understudy import logs
from understudy.config import Config, load_config
from understudy.state import DEFAULT_STATE, StateDir

log = logging.getLogger("understudy.serve")
STOP_SECONDS = 5.0


def main(argv: list[str]) -> int:
    """Entry point; returns the exit code."""
    options = parse(argv)
    logs.set_up()
    config = load_config(options.config)
    config.check()
    state = StateDir(options.state or DEFAULT_STATE)
    serve = run if config.section(GatewayConfig).workers == 1 else run_together
    if not wants_companions(config, options, state):
        return serve(config, options)
    roles = companions(state, options.config)
    return serve(config, options, follow=True, beside=lambda: kept_alive(roles, state, config))


def wants_companions(config: Config, options: ServeOptions, state: StateDir) -> bool:
    """Whether worker and controller run beside: engines of others, a Redis that is configured, and no `up` there."""
    configured = named(config.section(EnginesConfig)) and bool(config.section(RedisConfig).url)
    return configured and not options.gateway_only and running(state) is None


def companions(state: StateDir, config: Path | None) -> list[Role]:
    """The roles; the worker stops first."""
    tail = ("--state", str(state.root), *(() if config is None else ("--config", str(config))))
    words = (*PYTHON, "understudy")
    return [
        Role("controller", (*words, "controller", *tail), 1),
        Role("worker", (*words, "worker", *tail), 0, nice=3),
    ]


@contextlib.asynccontextmanager
async def kept_alive(roles: list[Role], state: StateDir, config: Config) -> AsyncIterator[None]:
    """Run `roles` within the context, again when one dies, and stop them at its end."""
    control = config.section(ControlConfig)
    state.run.mkdir(parents=True, exist_ok=True)
    supervisor = Supervisor(state.logs, Ledger(state.run, "companions.json"), Policy(), STOP_SECONDS)
    try:
        for role in roles:
            await supervisor.start(role)
        log.info(
            "worker and controller run beside the gateway (control plane http://%s:%d, logs in %s); nothing is learned",
            control.host, control.port, state.logs,
        )  # fmt: skip
        yield
    finally:
        await supervisor.stop_all()
