"""`understudy serve`: run the gateway until SIGTERM."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import functools
import gc
import logging
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import uvicorn
import uvloop

from feedback.kpis.config import KpisConfig
from serving.gateway.access.door import open_door
from serving.gateway.completion.request import endpoints
from serving.gateway.completion.stages import STAGES, Stages
from serving.gateway.config import GatewayConfig
from serving.gateway.http.endpoint import ReadLimits
from serving.gateway.http.protocol import GatewayProtocol
from serving.gateway.observing.opening import observed
from serving.gateway.routes.app import build_app
from serving.gateway.wiring import Parts, build, known_keys
from understudy.config import Config
from understudy.errors import ConfigError
from understudy.process import descriptors
from understudy.process.ports import bound, reached
from understudy.state import DEFAULT_STATE, StateDir
from understudy.telemetry.targets import told

log = logging.getLogger("understudy.gateway")

BACKLOG = 2048
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
    given = parser.parse_args(argv)
    return ServeOptions(given.config, given.state, given.host, given.port, given.gateway_only)


def run(
    config: Config, options: ServeOptions, follow: bool = False, beside: Callable[[], Beside] = contextlib.nullcontext
) -> int:
    """Serve until a signal, with `beside` open meanwhile; returns the exit code.

    `follow`: a state directory is followed although none was named.

    Raises:
        ConfigError: the port is in use, a key of an engine is missing, or the address is open to everybody.
    """
    descriptors.raise_limit()
    settings = config.section(GatewayConfig)
    host = options.host or settings.host
    state = StateDir(options.state or DEFAULT_STATE)
    ring = known_keys(state)
    if refusal := open_door(host, settings, bool(settings.api_keys) or ring.asked):
        raise ConfigError(refusal, param="gateway.host")
    listener = listen(host, settings.port if options.port is None else options.port)
    port = listener.getsockname()[1]
    follow = follow or options.state is not None
    name = f"gateway-{port}"
    parts = build(config, state, follow, f"http://{host}:{port}", name, ring)
    try:
        place = told(state, name, reached(host, port)) if parts.follower else contextlib.nullcontext()
        with place, observed(parts.gateway, config, state, name):
            uvloop.run(serve(parts, listener, config.section(KpisConfig), beside))
    finally:
        if parts.outbox is not None:
            parts.outbox.close(0.5)
    return 0


def listen(host: str, port: int) -> socket.socket:
    """A listening socket.

    Raises:
        ConfigError: the port is in use, or the address is not one of this machine.
    """
    try:
        listener = bound(host, port)
    except OSError as error:
        raise ConfigError(
            f"cannot listen on {host}:{port}: {error.strerror or error}; "
            f"stop what uses it, or set gateway.port (--port) or gateway.host (--host)",
            param="gateway.port",
        ) from None
    listener.listen(BACKLOG)
    listener.setblocking(False)
    return listener


class Server(uvicorn.Server):
    """uvicorn's server; what the drain leaves unfinished is told so.

    Signals are handled by `serve`: uvicorn raises them again at its end, before our spool is closed.
    """

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    def stop(self) -> None:
        """Stop in order; the second time at once."""
        self.force_exit = self.should_exit
        self.should_exit = True

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
        http=cast(Any, functools.partial(GatewayProtocol, limits, hot, parts.gateway.admission)),
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
    following = [asyncio.create_task(one.run()) for one in (parts.follower, parts.keys, limiter) if one is not None]
    if (guard := parts.gateway.guard) is not None:
        following.append(asyncio.create_task(guard.sharing.run(guard.users)))
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, server.stop)
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
