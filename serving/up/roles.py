"""Which processes `up` runs, with what words, in which order they stop. Pure."""

from __future__ import annotations

import sys
from pathlib import Path

from serving.engine.config import EnginesConfig
from serving.engine.launch.fork_client import fork_socket
from serving.up.config import UpConfig
from serving.up.preflight import own_slots
from serving.up.supervise.process import Role
from understudy.state import StateDir

PYTHON = (sys.executable, "-m")
DEMO_WAVE, LEARN_WAVE, GATEWAY_WAVE, AGENT_WAVE, ENGINE_WAVE, REDIS_WAVE = range(6)
APPLICATION, TRAINER, WORKER, GATEWAY, CONTROLLER = "application", "trainer", "worker", "gateway", "controller"


def redis_role(command: list[str]) -> Role:
    """The embedded Redis."""
    return Role("redis", tuple(command), REDIS_WAVE)


def fork_role(state: StateDir) -> Role:
    """The process that imports vLLM once."""
    words = ("serving.engine.launch.forkserver", "--socket", str(fork_socket(state)))
    return Role("forkserver", (*PYTHON, *words), ENGINE_WAVE)


def forks(engines: EnginesConfig) -> bool:
    """Whether engines are forked: on a CPU, unless somebody asks for plain starts."""
    return engines.on_cpu and engines.launcher != "plain"


def product_roles(state: StateDir, config: Path, engines: EnginesConfig) -> list[Role]:
    """Agents of our own slots, gateway, worker, controller and trainer."""

    def role(name: str, wave: int, *words: str, nice: int = 0) -> Role:
        tail = ("--state", str(state.root), "--config", str(config))
        return Role(name, (*PYTHON, "understudy", *words, *tail), wave, nice)

    agents = [role(f"engine-{slot}", AGENT_WAVE, "engine", slot) for slot in own_slots(engines)]
    return [
        *agents,
        role(CONTROLLER, AGENT_WAVE, "controller"),
        role(GATEWAY, GATEWAY_WAVE, "serve"),
        role(WORKER, LEARN_WAVE, "worker", nice=3),
        role(TRAINER, LEARN_WAVE, "train", nice=5),
    ]


def application_role(state: StateDir, gateway: str, up: UpConfig) -> Role:
    """The demo application."""
    words = (
        "demo.app", "--url", f"{gateway}/v1", "--out", str(state.run / "traffic.jsonl"),
        "--rate", str(up.rate), "--stream-share", str(up.stream_share), "--users", str(up.users),
        "--warm-seconds", str(up.warm_seconds), "--drift-share", str(up.drift_share),
    )  # fmt: skip
    return Role(APPLICATION, (*PYTHON, *words), DEMO_WAVE)
