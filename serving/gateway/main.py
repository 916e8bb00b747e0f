"""`understudy serve`: run the gateway until SIGTERM."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import logging
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, cast

import uvicorn
import uvloop

from feedback.kpis.config import KpisConfig
from serving.gateway.access.door import open_door
from serving.gateway.access.ring import KeyRing
from serving.gateway.completion.request import endpoints
from serving.gateway.completion.stages import STAGES, Stages
from serving.gateway.config import GatewayConfig
from serving.gateway.http.endpoint import ReadLimits
from serving.gateway.http.protocol import GatewayProtocol
from serving.gateway.observing.opening import observed
from serving.gateway.routes.app import build_app
from serving.gateway.wiring import Parts, build, known_keys, left_spools
from understudy.config import Config
from understudy.errors import ConfigError
from understudy.process import descriptors
from understudy.process.accepting import BACKLOG, Acceptor
from understudy.process.ports import bound, reached
from understudy.state import DEFAULT_STATE, StateDir
from understudy.telemetry.board import Board
from understudy.telemetry.targets import told
from understudy.telemetry.together import JoinedPage

log = logging.getLogger("understudy.gateway")

TELL_SECONDS = 1.0
"""Between two looks of the other workers at the metrics of one."""
Beside = AbstractAsyncContextManager[None]
"""What runs as long as the gateway does."""
ONLY_HELP = (
    "run no worker and no controller beside the gateway, as FILE with engines of your own and `redis.url` would have it"
)
STATE_HELP = (
    "state directory of the system to follow, for which the engines of FILE only stand in until it has a routing "
    "document (default: .understudy, followed only where FILE names no engines)"
)


@dataclass(frozen=True, slots=True)
class ServeOptions:
    """What the command line says; None where it says nothing."""

    config: Path | None
    state: Path | None
    host: str | None
    port: int | None
    gateway_only: bool = False


def parse(argv: list[str]) -> ServeOptions:
    """The command line's options; argparse answers --help and wrong usage."""
    parser = argparse.ArgumentParser(
        prog="understudy serve",
        description="Run the gateway: the OpenAI API before a teacher and a student.",
        epilog="example: understudy serve --config understudy.yaml --port 8000",
    )
    parser.add_argument("--config", type=Path, help="configuration file (YAML)")
    parser.add_argument("--state", type=Path, help=STATE_HELP)
    parser.add_argument("--host", help="address to listen on (default: gateway.host)")
    parser.add_argument("--port", type=int, help="port to listen on (default: gateway.port)")
    parser.add_argument("--gateway-only", action="store_true", help=ONLY_HELP)
    parser.add_argument("--json", action="store_true", help="accepted for symmetry with other commands")
    given = parser.parse_args(argv)
    return ServeOptions(given.config, given.state, given.host, given.port, given.gateway_only)


@dataclass(frozen=True, slots=True)
class WorkerPlace:
    """Which of several workers on one port a gateway is: its number, counted from 0, and where all tell metrics."""

    number: int
    port: int
    board: Board


def run(
    config: Config, options: ServeOptions, follow: bool = False, beside: Callable[[], Beside] = contextlib.nullcontext,
    place: WorkerPlace | None = None,
) -> int:  # fmt: skip
    """Serve until a signal, with `beside` open meanwhile; returns the exit code.

    `follow`: a state directory is followed although none was named. `place`: beside other workers, until SIGTERM.

    Raises:
        ConfigError: the port is in use, a key of an engine is missing, or the address is open to everybody.
    """
    descriptors.raise_limit()
    settings = config.section(GatewayConfig)
    state = StateDir(options.state or DEFAULT_STATE)
    ring = known_keys(state)
    host, port = address(settings, options, ring)
    listener = listen(host, port) if place is None else taken(partial(bound, shared=True), host, place.port)
    port = listener.getsockname()[1]
    follow = follow or options.state is not None
    name = f"gateway-{port}" if place is None or place.number == 0 else f"gateway-{port}-{place.number + 1}"
    parts = build(config, state, follow, f"http://{host}:{port}", name, ring)
    if place is not None:
        metrics = parts.gateway.metrics
        metrics.joined = JoinedPage(metrics.page, place.board, place.number)
    first = place is None or place.number == 0
    left = left_spools(config, state, follow, name) if first else None
    try:
        # One page has the sum over all workers, so one of them says where it is.
        target = told(state, name, reached(host, port)) if parts.follower and first else contextlib.nullcontext()
        with target, observed(parts.gateway, config, state, name):
            uvloop.run(serve(parts, listener, config.section(KpisConfig), beside))
    finally:
        if parts.outbox is not None:
            parts.outbox.close(0.5)
        if left is not None:
            left.close(1.0)
    return 0


def address(settings: GatewayConfig, options: ServeOptions, ring: KeyRing) -> tuple[str, int]:
    """Host and port on which a gateway is to listen.

    Raises:
        ConfigError: it would be open to everybody there.
    """
    host = options.host or settings.host
    if refusal := open_door(host, settings, bool(settings.api_keys) or ring.asked):
        raise ConfigError(refusal, param="gateway.host")
    return host, settings.port if options.port is None else options.port


def listen(host: str, port: int) -> socket.socket:
    """A listening socket.

    Raises:
        ConfigError: the port is in use, or the address is not one of this machine.
    """
    listener = taken(bound, host, port)
    listener.listen(BACKLOG)
    return listener


def taken(take: Callable[[str, int], socket.socket], host: str, port: int) -> socket.socket:
    """The socket that `take` binds, which does not listen yet: no client waits for a gateway that is still built.

    Raises:
        ConfigError: the port is in use, or the address is not one of this machine.
    """
    try:
        made = take(host, port)
    except OSError as error:
        raise ConfigError(
            f"cannot listen on {host}:{port}: {error.strerror or error}; "
            f"stop what uses it, or set gateway.port (--port) or gateway.host (--host)",
            param="gateway.port",
        ) from None
    made.setblocking(False)
    return made


class Server(uvicorn.Server):
    """uvicorn's server; what the drain leaves unfinished is told so.

    Signals are handled by `serve`: uvicorn raises them again at its end, before our spool is closed.
    """

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    def stop(self) -> None:
        """Stop in order."""
        self.should_exit = True

    def hurry(self) -> None:
        """Stop at once."""
        self.should_exit = self.force_exit = True

    def stop_or_hurry(self) -> None:
        """Stop in order; the second time at once."""
        self.force_exit = self.should_exit
        self.should_exit = True

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=[])
        protocol = cast(Any, self.config.http_protocol_class)
        make = partial(protocol, config=self.config, server_state=self.server_state, app_state=self.lifespan.state)
        self.servers = [cast(Any, Acceptor(listener, make)) for listener in sockets or []]

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await super().shutdown(sockets)
        for connection in list(self.server_state.connections):
            if isinstance(connection, GatewayProtocol):
                connection.cut()


def server_of(parts: Parts, kpis: KpisConfig, stages: Stages = STAGES) -> Server:
    """The server of a gateway, ready to serve on a socket; completion requests go through `stages`."""
    settings = parts.gateway.config
    limits = ReadLimits(settings.max_head, settings.head_seconds, settings.body_seconds, settings.half_close)
    hot = endpoints(parts.gateway, stages)
    config = uvicorn.Config(
        build_app(parts.gateway, kpis, parts.embeddings, parts.door),
        http=cast(Any, partial(GatewayProtocol, limits, hot, parts.gateway.admission, parts.gateway.alarms)),
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_keep_alive=settings.keep_alive_seconds,
        timeout_graceful_shutdown=max(1, round(settings.drain_seconds)),
    )
    return Server(config)


async def serve(
    parts: Parts, listener: socket.socket, kpis: KpisConfig, beside: Callable[[], Beside] = contextlib.nullcontext
) -> None:
    """Serve on `listener` until a signal, with `beside` open meanwhile."""
    server = server_of(parts, kpis)
    limiter = parts.gateway.limiter
    beside_requests = (parts.follower, parts.keys, limiter, parts.outbox)
    following = [asyncio.create_task(one.run()) for one in beside_requests if one is not None]
    if (guard := parts.gateway.guard) is not None:
        following.append(asyncio.create_task(guard.sharing.run(guard.users)))
    acts = {signal.SIGTERM: server.stop_or_hurry, signal.SIGINT: server.stop_or_hurry}
    if (joined := parts.gateway.metrics.joined) is not None:
        following.append(asyncio.create_task(telling(joined)))
        # A worker may be told twice that it is to stop: by whoever stops all processes, and by its keeper.
        acts = {signal.SIGTERM: server.stop, signal.SIGQUIT: server.hurry}
    for number, act in acts.items():
        asyncio.get_running_loop().add_signal_handler(number, act)
    gc.collect()
    gc.freeze()
    log.info("serving on http://%s:%d", *listener.getsockname()[:2])
    try:
        async with beside():
            await server.serve(sockets=[listener])
    finally:
        for task in following:
            task.cancel()
        if parts.follower is not None:
            await parts.follower.stop()
        parts.gateway.upstreams.close()
        await limiter.stop()
        if guard is not None:
            await guard.close()
        if parts.embeddings is not None:
            await parts.embeddings.close()
    log.info("stopped")


async def telling(page: JoinedPage) -> None:
    """Let the other workers see this one's metrics each second, until cancelled."""
    while True:
        page.tell()
        await asyncio.sleep(TELL_SECONDS)
