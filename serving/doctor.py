"""`understudy doctor`: whether this machine can run the system, and what to change.

Where `up` runs on the state directory already, it is that system which is looked at; engines that somebody else
runs are asked for the model that they are to serve.
"""

from __future__ import annotations

import argparse
import contextlib
import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import httpx
import psutil

from deploy.engines.address import api_url
from deploy.engines.client import BlockingEngineClient
from deploy.engines.external import ExternalEngine
from deploy.engines.findings import read_findings
from deploy.engines.knowledge import read_knowledge
from deploy.engines.queries import models
from feedback.bus.config import BusConfig
from feedback.bus.health import bus_findings
from feedback.outbox.config import OutboxConfig
from feedback.outbox.metrics import DEAD, DROPPED, LOST
from feedback.store.connection import find_redis
from serving.engine.config import EnginesConfig
from serving.gateway.config import GatewayConfig
from serving.stores import all_stores, table
from serving.up.machine import machine
from serving.up.preflight import Port, findings, listeners, port_in_use
from understudy.clock import wall
from understudy.config import Config, config_for
from understudy.errors import Unavailable
from understudy.files import read_json
from understudy.state import DEFAULT_STATE, StateDir

SECONDS = 5.0
"""How long a server may take to answer."""
OUTBOX = {
    f'{DROPPED.name}{{reason="spool"}}': "dropped {count} events that its spool could not keep: give the state "
    "directory's volume room, or `outbox.spool_bytes`, and see whether the bus is up",
    f'{DROPPED.name}{{reason="queue"}}': "dropped {count} events because its queue was full: see `outbox.queue`",
    f'{DROPPED.name}{{reason="process"}}': "dropped {count} events with a process that died: its log says why",
    LOST.name: "{count} events that the bus lost and the spool had no more: see docs/events.md",
    DEAD.name: "{count} events that the bus refused for good: see `understudy dead list exchanges`",
}
"""Counters of `/metrics` that should be zero, with what they mean."""


def main(argv: list[str]) -> int:
    """Entry point; 0 when nothing stands in the way, else 1."""
    parser = argparse.ArgumentParser(
        prog="understudy doctor",
        description="Check packages, models, memory and ports of this machine, or the system that runs on it, and "
        "the engines that somebody else runs for it.",
        epilog="example: understudy doctor",
    )
    parser.add_argument("--config", type=Path, help="your settings (YAML; default: of the `up` that runs in --state)")
    parser.add_argument("--state", type=Path, default=DEFAULT_STATE, help="state directory (default: %(default)s)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args(argv)
    state = StateDir(options.state)
    config = config_for(options.config, state)
    system = running(state)
    found = [
        *(obstacles(config, state) if system is None else silence(system["gateway"], state)),
        *external_engine_faults(config),
        *bus_findings(config.section(BusConfig), find_redis(config, state), config.section(OutboxConfig).event_bytes),
        *(losses(system["gateway"]) if system is not None else ()),
    ]
    said, facts = list(notes(config, state)), machine()
    if system is not None:
        facts["running"] = f"process id {system['pid']}, gateway {system['gateway']}"
    if options.json:
        stores = [asdict(one) for one in all_stores(config, state)]
        print(json.dumps({"ok": not found, "machine": facts, "stores": stores, "findings": found, "notes": said}))
    else:
        for name, value in facts.items():
            print(f"{name:<14}{value}")
        print("\n".join(["", "what is kept, how much, and until when:", *table(all_stores(config, state)), ""]))
        print("".join(f"note: {note}\n" for note in said), end="")
        print("\n".join(f"- {finding}" for finding in found) or "nothing stands in the way")
    return 1 if found else 0


def notes(config: Config, state: StateDir) -> Iterator[str]:
    """What stands in nobody's way and is good to know: how the student learns, and a teacher that answers otherwise."""
    knowledge, teacher = read_knowledge(state), config.section(EnginesConfig).teacher
    if knowledge is not None and knowledge.said:
        yield f"{knowledge.student} learns {knowledge.said}"
    found = read_findings(state)
    if teacher is None or found is None or not found.is_of(teacher.url, teacher.model):
        return
    if found.error:
        yield f"the teacher at {found.url} could not be asked what it gives: {found.error}"
    for change in found.recent(wall()):
        yield f"warning: the teacher at {found.url} answers otherwise than before: {'; '.join(change.what)}"


def running(state: StateDir) -> dict[str, Any] | None:
    """The addresses of the `up` that runs on `state`; None when none does."""
    try:
        found: dict[str, Any] = read_json(state.addresses)
        # A process that began after the addresses were written only has the same number.
        return found if psutil.Process(found["pid"]).create_time() <= found["started"] else None
    except (OSError, ValueError, KeyError, TypeError, psutil.Error):
        return None


def obstacles(config: Config, state: StateDir) -> Iterator[str]:
    """What stands in the way of `up`, or of `serve` where somebody else runs the student."""
    if config.section(EnginesConfig).student is None:
        yield from findings(state, listeners(config), config)
    else:
        gateway = config.section(GatewayConfig)
        yield from port_in_use(Port(gateway.host, gateway.port, "gateway.port"))


def silence(gateway: str, state: StateDir) -> Iterator[str]:
    """What is wrong with the system that runs."""
    try:
        ready = httpx.get(f"{gateway}/ready", timeout=SECONDS, trust_env=False).is_success
    except httpx.HTTPError as error:
        yield f"the gateway {gateway} does not answer ({error}): see {state.logs / 'gateway.log'}"
    else:
        if not ready:
            yield f"no engine serves yet: see `understudy status --state {state.root}` and {state.logs}"


def losses(gateway: str) -> Iterator[str]:
    """What the gateway's outbox lost since it started, or cannot get rid of, by its own metrics."""
    try:
        text = httpx.get(f"{gateway}/metrics", timeout=SECONDS, trust_env=False).text
    except httpx.HTTPError:
        return  # said by `silence`
    told = dict(line.rsplit(" ", 1) for line in text.splitlines() if line and not line.startswith("#"))
    for name, remedy in OUTBOX.items():
        if count := float(told.get(name, 0)):
            yield f"the gateway has {remedy.format(count=f'{count:.0f}')}"


def external_engine_faults(config: Config) -> Iterator[str]:
    """What is wrong with the engines that somebody else runs."""
    for role, engine in config.section(EnginesConfig).external.items():
        yield from faults_of(f"engines.{role}", engine)


def faults_of(setting: str, engine: ExternalEngine) -> Iterator[str]:
    """Ask one for its models, with its key."""
    if engine.lacks_key:
        yield f"`{setting}.api_key_env` names the environment variable {engine.api_key_env}, which is not set"
        return
    query = models()
    try:
        with contextlib.closing(BlockingEngineClient(engine.url, engine.key)) as client:
            answer = client.send(query, SECONDS)
    except (Unavailable, httpx.InvalidURL) as error:
        yield f"`{setting}.url` {engine.url} cannot be reached: {error}"
        return
    if answer.status >= 400:
        on_key = f"is the key of `{setting}.api_key_env` right?"
        hints = {401: on_key, 403: on_key, 404: "is its path right, such as /v1?"}
        hint = hints.get(answer.status, "see its log")
        yield f"`{setting}.url`: {api_url(engine.url, query.path)} answers {answer.status}: {hint}"
        return
    with contextlib.suppress(ValueError, LookupError, TypeError):  # a list that cannot be read proves nothing
        names = query.read(answer.text)
        if engine.model not in names:
            yield f"`{setting}.model` {engine.model} is not served there, only: {', '.join(names) or 'nothing'}"
