"""The control plane's door: the token before the body, and no body above a bound.

FastAPI reads a whole body before it asks for dependencies, and neither it nor Starlette limits one.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any
from urllib.parse import unquote

from fastapi import Request
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.control.refusals import answer
from serving.control.token import AS_HEADER, TOKEN_NAME, USER_HEADER, fits
from understudy.errors import TooLarge, Unauthorized, UnderstudyError
from understudy.telemetry.door import MetricsDoor

MAX_BODY = 1 << 20
"""Bytes."""
LONGEST_NAME = 64
METRICS_PATH = "/metrics"
NO_TOKEN = "give the token of run/admin.token as `authorization: Bearer TOKEN`"


class Operator:
    """Who speaks: the name that he gave (`--as`) and the system's user, as his command says, and the token's name."""

    def __init__(self, request: Request) -> None:
        said = {name: unquote(request.headers.get(name, ""))[:LONGEST_NAME] for name in (AS_HEADER, USER_HEADER)}
        self._as, self._user = (re.sub(r"[^\w .@+-]", "?", value) for value in said.values())

    def noted(self, why: str | None = None) -> dict[str, Any]:
        """What the audit log keeps of an act of his."""
        parts = [f"system user {self._user}"] if self._user else []
        by = f"{self._as or self._user or 'somebody'} ({', '.join([*parts, f'token {TOKEN_NAME}'])})"
        return {"by": by, **({"why": why} if why else {})}


class Door:
    """Pure ASGI around the application; `public` are the paths that ask for no token, `metrics` lets to the figures."""

    def __init__(self, app: ASGIApp, token: str, public: Collection[str], metrics: MetricsDoor) -> None:
        self._app = app
        self._token = token
        self._public = public
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse, or pass on with the body that was read."""
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        headers = Headers(scope=scope)
        try:
            if not self._lets(scope, headers):
                raise Unauthorized(NO_TOKEN, code="unauthorised")
            body = await _read(receive, headers)
        except UnderstudyError as error:
            refusal = answer(error)
            refusal.headers["connection"] = "close"  # what of the body is still to come is not read
            return await refusal(scope, receive, send)
        if body is not None:
            await self._app(scope, _first(body, receive), send)

    def _lets(self, scope: Scope, headers: Headers) -> bool:
        path, peer = scope["path"], scope.get("client")
        if path in self._public or fits(headers.get("authorization"), self._token):
            return True
        return path == METRICS_PATH and self._metrics.lets(None if peer is None else peer[0], headers)


async def _read(receive: Receive, headers: Headers) -> Message | None:
    """The whole body as one message; None when the client went away.

    Raises:
        TooLarge: it is above `MAX_BODY`, as announced or as sent.
    """
    announced = headers.get("content-length", "0")
    too_large = TooLarge(f"a body may have {MAX_BODY} bytes at most", code="body_too_large")
    if announced.isdecimal() and int(announced) > MAX_BODY:
        raise too_large
    body, more = bytearray(), True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += message.get("body", b"")
        more = message.get("more_body", False)
        if len(body) > MAX_BODY:
            raise too_large
    return {"type": "http.request", "body": bytes(body), "more_body": False}


def _first(body: Message, receive: Receive) -> Receive:
    """A `receive` that gives `body`, then whatever the server says."""
    waiting = [body]

    async def next_message() -> Message:
        return waiting.pop() if waiting else await receive()

    return next_message
