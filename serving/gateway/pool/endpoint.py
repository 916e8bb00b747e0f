"""One address of an engine: where it is, its idle connections, how much it has to do, and its breaker."""

from __future__ import annotations

import asyncio
import math
import ssl
from collections import deque
from dataclasses import dataclass
from urllib.parse import urlsplit

from deploy.engines.address import api_base
from serving.breaker.config import EngineBreakerConfig
from serving.breaker.machine import Breaker
from serving.breaker.table import BreakerState
from serving.gateway.http.upstream import Connection
from understudy.clock import Clock

MAX_IDLE = 256
"""Idle connections kept for each endpoint."""
DEFAULT_RULE = EngineBreakerConfig()


@dataclass(frozen=True, slots=True)
class Address:
    """Where an engine is: `prefix` is the path before /chat/completions (/v1), `query` goes with each request."""

    host: str
    port: int
    prefix: str
    tls: bool
    query: str = ""

    def target(self, path: bytes, query: bytes = b"") -> bytes:
        """What stands in the request line for `path` of the API; the client's `query` follows our own."""
        queries = b"&".join(filter(None, (self.query.encode(), query)))
        return self.prefix.encode() + path + (b"?" + queries if queries else b"")

    @property
    def name(self) -> str:
        """For people: host, port and path."""
        return f"{self.host}:{self.port}{self.prefix}"

    @property
    def host_header(self) -> bytes:
        """Value of the `host` header."""
        name = f"[{self.host}]" if ":" in self.host else self.host
        return f"{name}:{self.port}".encode()


def parse_url(url: str) -> Address:
    """Address of an engine's URL."""
    parts = urlsplit(api_base(url))
    tls = parts.scheme == "https"
    return Address(parts.hostname or "", parts.port or (443 if tls else 80), parts.path, tls, urlsplit(url).query)


class Endpoint:
    """One address: its idle connections, how much it has to do, and its breaker, which a `Call` tells how it went."""

    def __init__(self, url: str, reuse_seconds: float, clock: Clock, rule: EngineBreakerConfig = DEFAULT_RULE) -> None:
        self.address = parse_url(url)
        self.host = self.address.host_header
        self._targets: dict[bytes, bytes] = {}
        """By path, of requests without a query."""
        self.outstanding = 0
        self._idle: deque[Connection] = deque()
        self._left = False
        self._reuse = reuse_seconds
        self.rule = rule
        self.clock = clock
        self.breaker = Breaker(rule, clock)
        self.answered_at = -math.inf
        """When it last began a reply with a status below 500, by the clock."""
        self._tls = ssl.create_default_context() if self.address.tls else None

    def target(self, path: bytes, query: bytes) -> bytes:
        """What stands in the request line for `path` of the API, and the client's `query`."""
        if query:
            return self.address.target(path, query)
        found = self._targets.get(path)
        if found is None:
            found = self._targets[path] = self.address.target(path)
        return found

    def idle(self) -> Connection | None:
        """A connection that was used just now and that the engine keeps open; any other is closed."""
        while self._idle:
            connection = self._idle.pop()
            if self.clock() - connection.idle_since <= min(self._reuse, connection.keeps) and not connection.ended:
                return connection
            connection.close()
        return None

    async def connect(self, seconds: float) -> Connection:
        """A new connection.

        Raises:
            OSError: refused, unknown host, or not within `seconds`.
        """
        loop = asyncio.get_running_loop()
        making = loop.create_connection(lambda: Connection(self), self.address.host, self.address.port, ssl=self._tls)
        return (await asyncio.wait_for(making, seconds))[1]

    def release(self, connection: Connection) -> None:
        """Take back a connection whose reply is complete."""
        if self._left:
            connection.close()
            return
        connection.idle_since = self.clock()
        self._idle.append(connection)
        if len(self._idle) > MAX_IDLE:
            self._idle.popleft().close()

    def forget(self, connection: Connection) -> None:
        """A connection is gone."""
        if connection in self._idle:
            self._idle.remove(connection)

    def close(self) -> None:
        """Close the idle connections."""
        while self._idle:
            self._idle.pop().close()

    def leave(self) -> None:
        """Close the idle connections, and each that is released from now on: no request will come any more."""
        self._left = True
        self.close()

    @property
    def open(self) -> bool:
        """Whether it failed so lately that it is left alone where another can be asked."""
        return self.breaker.state is BreakerState.OPEN

    @property
    def down(self) -> bool:
        """Whether another should be asked: it is open, or as many probes as may are under way."""
        return not self.breaker.admits
