"""Which processes `up` runs, with what words, in which order they stop. Pure."""

from __future__ import annotations

from pathlib import Path

from serving.engine.config import EnginesConfig
from serving.engine.launch.fork_client import fork_socket
from serving.up import application
from serving.up.preflight import own_slots
from serving.up.supervise.process import PYTHON, Role
from understudy.state import StateDir

LEARN_WAVE, GATEWAY_WAVE, AGENT_WAVE, ENGINE_WAVE, REDIS_WAVE = range(application.WAVE + 1, application.WAVE + 6)
TRAINER, WORKER, GATEWAY, CONTROLLER = "trainer", "worker", "gateway", "controller"


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


def product_roles(state: StateDir, config: Path, engines: EnginesConfig, trainer_nice: int) -> list[Role]:
    """Agents of our own slots, gateway, worker, controller, and the trainer, which yields the CPU from its start on."""

    def role(name: str, wave: int, *words: str, nice: int = 0) -> Role:
        tail = ("--state", str(state.root), "--config", str(config))
        return Role(name, (*PYTHON, "understudy", *words, *tail), wave, nice)

    agents = [role(f"engine-{slot}", AGENT_WAVE, "engine", slot) for slot in own_slots(engines)]
    return [
        *agents,
        role(CONTROLLER, AGENT_WAVE, "controller"),
        role(GATEWAY, GATEWAY_WAVE, "serve", "--gateway-only"),
        role(WORKER, LEARN_WAVE, "worker", nice=3),
        role(TRAINER, LEARN_WAVE, "train", nice=trainer_nice),
    ]
