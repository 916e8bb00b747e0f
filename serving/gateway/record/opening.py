"""Starts the process that records what a gateway answers, and says where its events are to go."""

from __future__ import annotations

import logging
import socket
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import msgspec

from feedback.bus.config import BusConfig
from feedback.bus.opening import open_bus
from feedback.bus.protocol import Bus
from feedback.outbox.apart.handle import OutboxHandle
from feedback.outbox.config import OutboxConfig
from feedback.store.connection import find_redis
from serving.gateway.record.bus import LateBus
from serving.gateway.record.raw import pack
from understudy import __version__
from understudy.config import Config
from understudy.process.children import environment
from understudy.state import StateDir

log = logging.getLogger("understudy.gateway")

PROGRAM = "serving.gateway.record.process"
SECTIONS = ("bus", "redis", "outbox")
"""What the process has to know of the configuration."""


class Greeting(msgspec.Struct):
    """What the process is told first, through the pipe: addresses may hold passwords."""

    program: str
    """Version of the package."""
    config: dict[str, Any]
    state: str
    name: str
    follows: bool


def bus_finder(config: Config, state: StateDir, follows: bool) -> Callable[[], Bus | None]:
    """Opens the configured bus, or the one that the system of `state` tells of; None while there is neither."""

    section = config.section(BusConfig)

    def find() -> Bus | None:
        redis = find_redis(config, state if follows else None)
        return open_bus(section, redis) if section.url or redis.url else None

    return find


def bus_of(config: Config, state: StateDir, follows: bool) -> Bus | None:
    """Where events go: the configured bus, or the one that the system of `state` will tell of; None: nowhere, ever."""
    find = bus_finder(config, state, follows)
    bus = find()
    if bus is None and follows:
        return LateBus(find, config.section(BusConfig).partitions)
    return bus


def open_outbox(config: Config, state: StateDir, name: str, follows: bool) -> OutboxHandle | None:
    """The outbox of the gateway `name`, in a process of its own; None, said in the log, where it has no bus, ever.

    Raises:
        ConfigError: the bus cannot be what the configuration says.
    """
    bus = bus_finder(config, state, follows)()
    known = bus is not None
    if bus is not None:
        bus.close()  # it has not connected: the process will
    if not known and not follows:
        log.warning("no bus (`redis.url`, `bus.url`): nothing is captured, and feedback is refused with 503")
        return None
    if not known:
        log.warning("no bus yet: nothing is captured and feedback is refused until %s tells of a Redis", state.root)
    section = config.section(OutboxConfig)
    raw = {name: config.raw[name] for name in SECTIONS if name in config.raw}
    greeting = msgspec.json.encode(Greeting(__version__, raw, str(state.root.absolute()), name, follows))
    return OutboxHandle(partial(started, str(state.root)), greeting, section, pack, known)


def started(state: str, pipe: socket.socket) -> subprocess.Popen[bytes]:
    """The process, with `pipe` as its own; `state` is there for whoever lists processes.

    In a session of its own: who interrupts everything at a terminal means the gateway, which ends this in order.
    """
    program = [sys.executable, "-m", PROGRAM, str(pipe.fileno()), "--state", state]
    return subprocess.Popen(
        program, stdin=subprocess.DEVNULL, pass_fds=[pipe.fileno()], start_new_session=True, env=environment()
    )
