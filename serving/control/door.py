"""The control plane's door: the token before the body, and no body above a bound.

FastAPI reads a whole body before it asks for dependencies, and neither it nor Starlette limits one.
"""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.control.refusals import answer
from serving.control.token import fits
from understudy.errors import TooLarge, Unauthorized, UnderstudyError

MAX_BODY = 1 << 20
"""Bytes."""
NO_TOKEN = "give the token of run/admin.token as `authorization: Bearer TOKEN`"


class Door:
    """Pure ASGI around the application; `public` is the one path that asks for no token."""

    def __init__(self, app: ASGIApp, token: str, public: str) -> None:
        self._app = app
        self._token = token
        self._public = public

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse, or pass on with the body that was read."""
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        headers = Headers(scope=scope)
        try:
            if scope["path"] != self._public and not fits(headers.get("authorization"), self._token):
                raise Unauthorized(NO_TOKEN, code="unauthorised")
            body = await _read(receive, headers)
        except UnderstudyError as error:
            refusal = answer(error)
            refusal.headers["connection"] = "close"  # what of the body is still to come is not read
            return await refusal(scope, receive, send)
        if body is not None:
            await self._app(scope, _first(body, receive), send)


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
