"""One address of an engine: where it is, its idle connections, how much it has to do, and whether it failed lately."""

from __future__ import annotations

import asyncio
import math
import ssl
from collections import deque
from dataclasses import dataclass
from urllib.parse import urlsplit

from deploy.engines.address import api_base
from serving.gateway.http.upstream import Connection
from understudy.clock import Clock

MAX_IDLE = 256
"""Idle connections kept for each endpoint."""
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 5.0
"""Seconds that an endpoint which failed is avoided: doubled by each further failure."""
FAILURES_5XX = 3
"""So many replies with 5xx in a row count as a failure of the endpoint."""


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
    """One address: its idle connections, how much it has to do, and whether it failed lately."""

    def __init__(self, url: str, reuse_seconds: float, clock: Clock) -> None:
        self.address = parse_url(url)
        self.outstanding = 0
        self._idle: deque[Connection] = deque()
        self._reuse = reuse_seconds
        self._clock = clock
        self._failures = 0
        self._errors_5xx = 0
        self._down_until = 0.0
        self.answered_at = -math.inf
        """When it last began a reply with a status below 500, by the clock."""
        self._tls = ssl.create_default_context() if self.address.tls else None

    def idle(self) -> Connection | None:
        """A connection that was used just now and that the engine keeps open; any other is closed."""
        while self._idle:
            connection = self._idle.pop()
            if self._clock() - connection.idle_since <= min(self._reuse, connection.keeps) and not connection.ended:
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
        connection.idle_since = self._clock()
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

    @property
    def down(self) -> bool:
        """Whether it failed so lately that another should be asked."""
        return self._failures > 0 and self._clock() < self._down_until

    def failed(self) -> None:
        """It refused a connection, broke one off before its reply, or was too slow."""
        self._failures += 1
        pause = min(FIRST_PAUSE * 2 ** (self._failures - 1), LONGEST_PAUSE)
        self._down_until = self._clock() + pause

    def answered(self, status: int) -> None:
        """It began a reply."""
        if status < 500:
            self.answered_at = self._clock()
            self._failures = self._errors_5xx = 0
            return
        self._errors_5xx += 1
        if self._errors_5xx >= FAILURES_5XX:
            self._errors_5xx = 0
            self.failed()
