"""What the protocol and an endpoint that it takes over from ASGI know of each other."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from serving.gateway.http.wire import Headers
from understudy.errors import UnderstudyError


@dataclass(frozen=True, slots=True)
class ReadLimits:
    """How large a head may be, in bytes, how long a client may take, in seconds, and whether it may half-close."""

    max_head: int
    head_seconds: float
    body_seconds: float
    half_close: bool = False
    """Whether a client that closed its sending side may still read; else it has gone."""


class RequestHead(NamedTuple):
    """The head of a request."""

    path: bytes
    """Without its query, and without escapes."""
    query: bytes
    """As it was sent, without its question mark."""
    headers: Headers
    """Names in lower case."""
    keep_alive: bool
    http10: bool
    expects: bool
    """Whether the client waits for `100 Continue` before it sends the body."""


class HotRequest(Protocol):
    """A request that the protocol reads; stands in for uvicorn's request cycle, whose names it shares."""

    keep_alive: bool
    disconnected: bool
    """Set by uvicorn, too."""
    message_event: Any

    @property
    def response_complete(self) -> bool:
        """Whether it is over."""
        ...

    @property
    def reading(self) -> bool:
        """Whether the request itself is still on its way."""
        ...

    @property
    def waiting(self) -> bool:
        """Whether the client has no byte of the reply yet."""
        ...

    def feed(self, part: bytes) -> None:
        """Take a part of the body."""
        ...

    def body_complete(self) -> None:
        """The last byte of the request is here."""
        ...

    def take_turn(self) -> None:
        """Earlier requests of the connection are answered."""
        ...

    def break_off(self, error: UnderstudyError) -> None:
        """Answer a request that is not read to its end, and close."""
        ...

    def client_gone(self) -> None:
        """The client closed its connection."""
        ...

    def pause(self) -> None:
        """The client reads more slowly than it is written to."""
        ...

    def resume(self) -> None:
        """The client has caught up."""
        ...


class ClientConnection(Protocol):
    """The connection that a request came by."""

    transport: asyncio.Transport

    @property
    def write_paused(self) -> bool:
        """Whether the client's buffer is full."""
        ...

    def finished(self, request: HotRequest) -> None:
        """A request is over."""
        ...


HotEndpoint = Callable[[ClientConnection, RequestHead], HotRequest]
