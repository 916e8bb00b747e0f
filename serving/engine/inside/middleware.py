"""Runs inside the engine's API server: allow-list, keys, the version a request means, requests in flight.

An ASGI middleware in pure standard library and constants of ours, the outermost one. A request for another
version than the loaded one is answered with 409 before any work starts; a load begins only when the engine
is closed and nothing is in flight. The engine starts closed; its agent checks the fingerprint and opens it.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import os
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from deploy.engines import names

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

WORK = {("POST", names.API + path) for path in (names.CHAT, names.COMPLETIONS, names.EMBEDDINGS)}
KEYED = {("GET", names.API + names.MODELS), ("GET", names.METRICS), ("POST", names.TOKENIZE)}
OPEN = {("GET", names.HEALTH)}
CONTROL = {("GET", names.STATE), *(("POST", path) for path in (names.CLOSE, names.OPEN, names.LOAD))}
_MEANT, _LOADED = names.VERSION_HEADER.encode(), names.LOADED_HEADER.encode()
MAX_CONTROL_BODY = 1 << 18
LOAD_METHOD = "understudy_load"
RESET_ATTEMPTS = 20


class GuardRefusal(Exception):
    """An answer other than the request's own: status, machine-readable code, sentence."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


class VersionGuard:
    """`--middleware serving.engine.inside.middleware.VersionGuard`; settings come from the environment."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._key = os.environ.get(names.KEY_VARIABLE, "")
        self._control_key = os.environ.get(names.CONTROL_KEY_VARIABLE, "")
        if not self._key or not self._control_key:
            raise RuntimeError(f"{names.KEY_VARIABLE} and {names.CONTROL_KEY_VARIABLE} must be set")
        self.version: str | None = os.environ.get(names.VERSION_VARIABLE) or None
        self.started = self.version
        self.open = False
        self.loading = False
        self.in_flight = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            return await self._app(scope, receive, send)
        if scope["type"] != "http":
            return await send({"type": "websocket.close", "code": 1008})
        try:
            route = (scope["method"], scope["path"])
            if route in OPEN:
                return await self._app(scope, receive, send)
            trusted = self._authorise(scope, route)
            if route in CONTROL:
                return await _answer(send, 200, await self._control(route[1], scope, receive))
            if route in KEYED:
                return await self._app(scope, receive, send)
            self._check_version(_header(scope, _MEANT), trusted)
            await self._work(scope, receive, send)
        except GuardRefusal as refusal:
            error = {"message": refusal.message, "type": "engine_error", "param": None, "code": refusal.code}
            await _answer(send, refusal.status, {"error": error, "loaded": self.version})

    def _authorise(self, scope: Scope, route: tuple[str, str]) -> bool:
        """Whether the control key was given; refuses unknown routes and wrong keys."""
        if route not in WORK and route not in KEYED and route not in CONTROL:
            raise GuardRefusal(404, "not_found", f"{route[0]} {route[1]} is not served by this engine")
        scheme, _, given = _header(scope, b"authorization").partition(" ")
        trusted = scheme.lower() == "bearer" and hmac.compare_digest(given.encode(), self._control_key.encode())
        known = scheme.lower() == "bearer" and hmac.compare_digest(given.encode(), self._key.encode())
        if not trusted and (not known or route in CONTROL):
            raise GuardRefusal(401, "invalid_api_key", "this engine needs its key as `authorization: Bearer KEY`")
        return trusted

    def _check_version(self, meant: str, trusted: bool) -> None:
        """Refuse work that means another version; the agent may ask a closed engine, but never a half-loaded one."""
        if self.loading or self.version is None:
            raise GuardRefusal(409, "closed", "this engine is loading a version")
        if not meant and not trusted:
            raise GuardRefusal(409, "version_required", f"say which version is meant by `{names.VERSION_HEADER}`")
        if meant and meant != self.version:
            raise GuardRefusal(409, "version_mismatch", f"this engine serves {self.version}, not {meant}")
        if not self.open and not trusted:
            raise GuardRefusal(409, "closed", f"this engine is closed while {self.version} is checked or replaced")

    async def _work(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Forward, count until the last byte, and name the version that answers."""
        loaded = (_LOADED, (self.version or "").encode())

        async def named(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), loaded]
            await send(message)

        self.in_flight += 1
        try:
            await self._app(scope, receive, named)
        finally:
            self.in_flight -= 1

    async def _control(self, path: str, scope: Scope, receive: Receive) -> dict[str, Any]:
        if path == names.STATE:
            return self._state()
        body = await _json_body(receive)
        if path == names.CLOSE:
            self.open = False
        elif path == names.OPEN:
            if self.loading or self.version is None or body.get("version") != self.version:
                raise GuardRefusal(409, "version_mismatch", f"loaded is {self.version}, not {body.get('version')}")
            self.open = True
        else:
            return await self._load(scope["app"].state.engine_client, body)
        return self._state()

    def _state(self) -> dict[str, Any]:
        return {
            "version": self.version,
            "started": self.started,
            "open": self.open,
            "loading": self.loading,
            "in_flight": self.in_flight,
            "pid": os.getpid(),
        }

    async def _load(self, engine: Any, body: dict[str, Any]) -> dict[str, Any]:
        """Have every worker load `body["path"]`, then forget cached prefixes.

        409 while open or in use; 422 when the workers refused and wrote nothing; 500 when the weights may
        be damaged, after which the engine answers nothing and must be restarted.
        """
        path, version, hashes = body.get("path"), body.get("version"), body.get("hashes") or {}
        if not isinstance(path, str) or not isinstance(version, str) or not version:
            raise GuardRefusal(400, "invalid_request", "a load needs `path` and `version`")
        if not isinstance(hashes, dict):
            raise GuardRefusal(400, "invalid_request", "`hashes` is an object: SHA-256 by file")
        if self.open or self.loading or self.in_flight:
            raise GuardRefusal(409, "busy", f"close first; open={self.open}, in flight={self.in_flight}")
        self.loading = True
        before, self.version = self.version, None
        try:
            results = await _ask_workers(engine, path, hashes)
            refused = [r for r in results if not r["ok"]]
            if not any(r["damaged"] for r in refused):
                self.version = before if refused else None
            if refused:
                status = 422 if self.version else 500
                raise GuardRefusal(status, "load_refused" if self.version else "load_damaged", refused[0]["error"])
            await _reset_caches(engine)
            self.version = version
        finally:
            self.loading = False
        return {**self._state(), "workers": results}


async def _ask_workers(engine: Any, path: str, hashes: dict[str, str]) -> list[dict[str, Any]]:
    """One answer of each worker; whatever the engine raises means that nobody knows what was written."""
    try:
        answers: list[dict[str, Any]] = await engine.collective_rpc(LOAD_METHOD, args=(path, hashes))
    except Exception as error:
        raise GuardRefusal(500, "load_damaged", f"the load failed: {type(error).__name__} {error}") from error
    return answers


async def _reset_caches(engine: Any) -> None:
    """Drop the prefix cache; it is refused while an aborted request still holds blocks."""
    for _ in range(RESET_ATTEMPTS):
        if await engine.reset_prefix_cache():
            return
        await asyncio.sleep(0.05)
    raise GuardRefusal(500, "load_damaged", "the prefix cache could not be reset after the load")


def _header(scope: Scope, name: bytes) -> str:
    for key, value in scope["headers"]:
        if key == name:
            return bytes(value).decode("latin-1")
    return ""


async def _json_body(receive: Receive) -> dict[str, Any]:
    raw = b""
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise GuardRefusal(400, "invalid_request", "the client went away")
        raw += message.get("body", b"")
        if len(raw) > MAX_CONTROL_BODY:
            raise GuardRefusal(413, "too_large", f"a control body has at most {MAX_CONTROL_BODY} bytes")
        if not message.get("more_body"):
            break
    try:
        value = json.loads(raw or b"{}")
    except ValueError:
        raise GuardRefusal(400, "invalid_request", "the body is not JSON") from None
    if not isinstance(value, dict):
        raise GuardRefusal(400, "invalid_request", "the body must be a JSON object")
    return value


async def _answer(send: Send, status: int, value: dict[str, Any]) -> None:
    body = json.dumps(value).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
