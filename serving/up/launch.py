"""From nothing to the first reply: Redis, fork server, models, roles, and waiting until both arms serve."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import yaml

from deploy.engines.keys import engine_key, own_key
from feedback.store.config import RedisConfig
from feedback.store.server import embedded, free_port
from serving.control.config import ControlConfig
from serving.engine.config import EnginesConfig
from serving.gateway.answering import NO_STUDENT, NOT_FIT
from serving.gateway.config import GatewayConfig
from serving.up import application, roles
from serving.up.config import UpConfig, composed
from serving.up.options import UpOptions
from serving.up.preflight import NotReady, Port, listeners, require
from serving.up.supervise.process import run_once
from serving.up.supervise.supervisor import Supervisor
from understudy.config import Config, load_config
from understudy.errors import ConfigError, UnderstudyError
from understudy.files import is_ready, write_atomic, write_json
from understudy.process.ports import reached
from understudy.state import StateDir

FOLLOW_SECONDS = 0.3
Say = Callable[[str], None]
QUESTION = {"model": "auto", "max_tokens": 4, "messages": [{"role": "user", "content": "Hello"}]}


@dataclass(frozen=True, slots=True)
class LaunchPlan:
    """The composed configuration and where things will answer."""

    config: Path
    gateway: str
    control: str
    redis_url: str
    redis_port: int
    """0: somebody else's Redis."""
    up: UpConfig
    engines: EnginesConfig
    trainer_nice: int
    ports: tuple[Port, ...]


def plan(options: UpOptions) -> LaunchPlan:
    """Compose and validate the configuration and write it to the run folder.

    Raises:
        ConfigError: a key or value of the user's file is wrong.
    """
    given = load_config(options.config)
    port = 0 if given.section(RedisConfig).url else free_port()
    path = options.state.config
    raw = composed(given.raw, embedded(options.state, port).url)
    if options.prompts is not None:
        up = raw.get("up") or {}
        raw["up"] = {
            **up,
            "application_options": {**up.get("application_options", {}), "prompts": str(options.prompts)},
        }
    Config(raw, str(options.config or "defaults")).check()
    if options.until_swap and Config(raw).section(UpConfig).application is None:
        raise ConfigError(
            "--until-swap judges by the questions of an application, and up.application is null: drop one"
        )
    write_atomic(path, yaml.safe_dump(raw, allow_unicode=True, sort_keys=False), mode=0o600)
    config = load_config(path)
    gateway, control = config.section(GatewayConfig), config.section(ControlConfig)
    up, engines = config.section(UpConfig), config.section(EnginesConfig)
    redis_url = config.section(RedisConfig).url
    return LaunchPlan(
        path, reached(gateway.host, gateway.port), reached(control.host, control.port), redis_url,
        port if port and urlsplit(redis_url).port == port else 0, up, engines,
        config.named("trainer").model_dump()["nice"], tuple(listeners(config)),
    )  # fmt: skip


def prepare(state: StateDir, found: LaunchPlan) -> None:
    """Check the machine and create what all roles expect.

    Raises:
        NotReady: with everything that stands in the way.
    """
    for folder in (state.run, state.logs, state.registry, state.spool):
        folder.mkdir(parents=True, exist_ok=True)
    require(state, list(found.ports), load_config(found.config))
    engine_key(state)
    own_key(state)
    urls = {slot: found.engines.url(slot) for slot in found.engines.ports}
    write_json(state.addresses, {
        "gateway": found.gateway, "control": found.control, "redis": found.redis_url, "engines": urls,
        "pid": os.getpid(), "started": time.time(),
    }, mode=0o600)  # fmt: skip


async def start(state: StateDir, found: LaunchPlan, supervisor: Supervisor, say: Say) -> None:
    """Start every role but the application; models are put into a fresh registry meanwhile, and `say` is told how far.

    Raises:
        UnderstudyError: the models could not be registered.
    """
    if found.redis_port:
        await supervisor.start(roles.redis_role(embedded(state, found.redis_port).command()))
    if roles.forks(found.engines):
        await supervisor.start(roles.fork_role(state))
    if found.up.application and lacks_models(state):
        begun(state).touch()
        await install_models(state, found.up, say)
        begun(state).unlink()
    for role in roles.product_roles(state, found.config, found.engines, found.trainer_nice):
        await supervisor.start(role)


def lacks_models(state: StateDir) -> bool:
    """Whether the application has still to bring its models: it never did, or was killed before it had brought all."""
    return begun(state).exists() or not any(map(is_ready, state.versions.glob("[!.]*")))


def begun(state: StateDir) -> Path:
    """The file that stands while the application brings its models."""
    return state.run / "installing"


async def install_models(state: StateDir, up: UpConfig, say: Say) -> None:
    """Have the application register its models, and tell each line of what it prints."""
    log = state.logs / "install.log"
    telling = asyncio.create_task(follow(log, lambda line: say(f"models: {line}")))
    try:
        code = await run_once(application.installing(state, up), state.logs, up.install_seconds)
    finally:
        telling.cancel()
    if code != 0:
        last = last_line(log) or "no output"
        raise UnderstudyError(f"the models of `{up.application}` could not be registered: {last} (log: {log})")


async def follow(log: Path, say: Say) -> None:
    """Tell the last line of a log whenever it is another one, until cancelled."""
    told = last_line(log)
    while True:
        await asyncio.sleep(FOLLOW_SECONDS)
        if (line := last_line(log)) not in ("", told):
            say(line)
            told = line


def last_line(log: Path) -> str:
    """The last line of a log; empty without one."""
    lines = log.read_text("utf-8", "replace").strip().splitlines() if log.is_file() else []
    return lines[-1] if lines else ""


async def first_reply(found: LaunchPlan, supervisor: Supervisor, logs: Path, seconds: float, key: str = "") -> None:
    """Wait until both arms are ready and one request was answered; the teacher alone where no student may answer.

    `key`: what the gateway is shown.

    Raises:
        NotReady: not within `seconds`; the message names what restarts.
    """
    end = time.monotonic() + seconds
    headers = {"authorization": f"Bearer {key}"} if key else {}
    async with httpx.AsyncClient(base_url=found.gateway, timeout=20, headers=headers) as client:
        while time.monotonic() < end:
            with contextlib.suppress(httpx.HTTPError, ValueError, KeyError):
                names = {row["id"] for row in (await client.get("/v1/models")).json()["data"]}
                alone = "student" not in names and await teacher_alone(client)
                arms = ("teacher",) if alone else ("student", "teacher")
                if names.issuperset(arms) and await answers(client, arms):
                    return
            await asyncio.sleep(0.2)
    again = [name for name, life in supervisor.lives.items() if life.restarts]
    hint = f"; these end again and again: {', '.join(again)}" if again else ""
    raise NotReady(f"no reply within {seconds:.0f} s{hint} (logs: {logs})")


async def teacher_alone(client: httpx.AsyncClient) -> bool:
    """Whether there is no student that may answer: none at all, or one that only learns.

    By the controller's word: before it the gateway knows of nobody but the engines of the configuration.
    """
    said = (await client.get("/ready")).json()
    told = str(said["arms"]["student"])
    return bool(said["epoch"]) and (told == NO_STUDENT or told.endswith(NOT_FIT))


async def answers(client: httpx.AsyncClient, arms: Iterable[str]) -> bool:
    """Whether each of `arms` answers a short request."""
    for model in arms:
        headers = {"x-understudy-no-capture": "1"}
        answer = await client.post("/v1/chat/completions", json={**QUESTION, "model": model}, headers=headers)
        if not answer.is_success or answer.headers.get("x-understudy-arm") != model:
            return False
    return True
