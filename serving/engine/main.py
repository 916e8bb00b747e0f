"""`understudy engine SLOT`: runs the agent of one slot."""

from __future__ import annotations

import argparse
import asyncio
import signal
from pathlib import Path

from deploy.engines.keys import control_key, engine_key
from deploy.registry.config import RegistryConfig
from deploy.registry.store import Registry
from deploy.routing.document import SLOTS, SlotName
from deploy.routing.stores import Routing, open_routing
from feedback.store.connection import find_redis
from serving.engine.agent import Agent
from serving.engine.config import EnginesConfig
from serving.engine.launch.fork_client import fork_socket
from serving.engine.launch.runner import EngineRunner
from serving.engine.metrics import show_agent
from understudy import logs
from understudy.config import Config, load_config
from understudy.errors import UsageError
from understudy.process.lock import ProcessLock
from understudy.process.rotation import keep_short
from understudy.state import DEFAULT_STATE, StateDir
from understudy.telemetry.config import TelemetryConfig
from understudy.telemetry.metrics import MetricsPage
from understudy.telemetry.server import shown


def main(argv: list[str]) -> int:
    """Entry point; runs until SIGTERM or SIGINT, then returns 0.

    Raises:
        Conflict: another agent has this slot.
    """
    options = parser().parse_args(argv)
    config = load_config(options.config)
    engines = config.section(EnginesConfig)
    external = engines.teacher if options.slot == "teacher" else engines.student
    if external is not None:
        raise UsageError(f"engines say that {external.url} serves this arm: take that away to run it here")
    logs.set_up()
    state = StateDir(options.state)
    with slot_lock(options.slot, state):
        asyncio.run(_run(options.slot, state, config))
    return 0


def slot_lock(slot: SlotName, state: StateDir) -> ProcessLock:
    """What keeps a second agent from the slot's engine."""
    refusal = f"the agent of {slot} in {state.root} runs already, with process id {{pid}}: one engine obeys one agent"
    return ProcessLock(state.run / "slots" / f"{slot}.lock", refusal)


def parser() -> argparse.ArgumentParser:
    """Options of the command."""
    made = argparse.ArgumentParser(
        prog="understudy engine",
        description="Own one vLLM process and make it serve what the routing document wants in this slot.",
        epilog="example: understudy engine student-a --state .understudy",
    )
    made.add_argument("slot", choices=SLOTS)
    made.add_argument("--config", type=Path, help="the YAML file (default: built-in defaults)")
    made.add_argument("--state", type=Path, default=DEFAULT_STATE, help="state directory (default: .understudy)")
    made.add_argument("--json", action="store_true", help="accepted for symmetry with other commands")
    return made


def build(slot: SlotName, state: StateDir, config: Config, routing: Routing) -> Agent:
    """An agent over the state directory's registry, keys and fork server."""
    engines = config.section(EnginesConfig)
    registry = Registry(state, trusted=config.section(RegistryConfig).trusted_keys)
    runner = EngineRunner(
        slot, engines, key=engine_key(state), control_key=control_key(state), state=state,
        fork_socket=fork_socket(state),
    )  # fmt: skip
    return Agent(slot, engines, runner, registry, routing)


async def _run(slot: SlotName, state: StateDir, config: Config) -> None:
    redis = find_redis(config, state)
    routing = open_routing(state, redis.url, redis.prefix)
    agent = build(slot, state, config, routing)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, agent.stop)
    short = asyncio.create_task(keep_short(state.logs))
    page = MetricsPage("engine")
    show_agent(page, slot, agent)
    try:
        with shown(page, f"engine-{slot}", state, config.section(TelemetryConfig)):
            await agent.run()
    finally:
        short.cancel()
