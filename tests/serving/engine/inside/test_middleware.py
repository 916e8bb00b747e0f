"""The guard inside the engine, driven without an engine."""

from __future__ import annotations

import asyncio
from collections.abc import MutableMapping
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from serving.engine.inside.middleware import MAX_CONTROL_BODY, VersionGuard

KEY, CONTROL = {"authorization": "Bearer k"}, {"authorization": "Bearer c"}
OK = [{"ok": True, "seconds": 0.1, "bytes": 1}]


class Core:
    """Stands for vLLM's engine client: answers of loads, and how often a cache reset fails first."""

    def __init__(self, results: list[dict[str, Any]], stubborn: int = 0) -> None:
        self.results, self.stubborn, self.loads = results, stubborn, 0

    async def collective_rpc(self, method: str, args: tuple[str, ...]) -> list[dict[str, Any]]:
        self.loads += 1
        if not self.results:
            raise RuntimeError("the worker is gone")
        return self.results

    async def reset_prefix_cache(self) -> bool:
        self.stubborn -= 1
        return self.stubborn < 0


class Inner:
    """The app behind the guard: two chunks with a gate between them."""

    def __init__(self, core: Core) -> None:
        self.state = SimpleNamespace(engine_client=core)
        self.gate = asyncio.Event()
        self.gate.set()
        self.calls = 0

    async def __call__(self, scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        self.calls += 1
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": "一".encode(), "more_body": True})
        await self.gate.wait()
        await send({"type": "http.response.body", "body": "二".encode()})


def guarded(monkeypatch: pytest.MonkeyPatch, core: Core | None = None) -> tuple[VersionGuard, Inner, httpx.AsyncClient]:
    monkeypatch.setenv("UNDERSTUDY_ENGINE_KEY", "k")
    monkeypatch.setenv("UNDERSTUDY_ENGINE_CONTROL_KEY", "c")
    monkeypatch.setenv("UNDERSTUDY_ENGINE_VERSION", "v1")
    inner = Inner(core or Core(OK))
    guard = VersionGuard(inner)

    async def app(scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        scope["app"] = inner
        await guard(scope, receive, send)

    return guard, inner, httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://engine")


async def chat(client: httpx.AsyncClient, headers: dict[str, str]) -> httpx.Response:
    return await client.post("/v1/chat/completions", json={}, headers=headers)


async def test_it_starts_closed_and_only_the_agent_gets_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    _, inner, client = guarded(monkeypatch)
    response = await chat(client, {**KEY, "x-understudy-version": "v1"})
    assert (response.status_code, response.json()["error"]["code"], inner.calls) == (409, "closed", 0)
    assert (await chat(client, CONTROL)).text == "一二"


async def test_open_needs_the_loaded_version(monkeypatch: pytest.MonkeyPatch) -> None:
    guard, _, client = guarded(monkeypatch)
    assert (await client.post("/understudy/open", json={"version": "v2"}, headers=CONTROL)).status_code == 409
    assert not guard.open
    assert (await client.post("/understudy/open", json={"version": "v1"}, headers=CONTROL)).status_code == 200
    response = await chat(client, {**KEY, "x-understudy-version": "v1"})
    assert (response.status_code, response.headers["x-understudy-loaded"]) == (200, "v1")


async def test_a_request_counts_until_its_last_byte_and_keeps_loads_away(monkeypatch: pytest.MonkeyPatch) -> None:
    core = Core(OK)
    guard, inner, client = guarded(monkeypatch, core)
    inner.gate.clear()
    running = asyncio.create_task(chat(client, CONTROL))
    while not guard.in_flight:
        await asyncio.sleep(0)
    body = {"path": "/x", "version": "v2"}
    assert (await client.post("/understudy/load", json=body, headers=CONTROL)).json()["error"]["code"] == "busy"
    inner.gate.set()
    await running
    assert (guard.in_flight, core.loads) == (0, 0)
    assert (await client.post("/understudy/load", json=body, headers=CONTROL)).status_code == 200
    assert (guard.version, guard.open) == ("v2", False)


@pytest.mark.parametrize(
    ("core", "status", "version"),
    [
        (Core([{"ok": False, "damaged": False, "error": "lacks a tensor"}]), 422, "v1"),
        (Core([{"ok": False, "damaged": True, "error": "half"}]), 500, None),
        (Core([*OK, {"ok": False, "damaged": False, "error": "one of two"}]), 422, "v1"),
        (Core(OK, stubborn=10_000), 500, None),
        (Core(OK, stubborn=2), 200, "v2"),
    ],
)
async def test_a_load_ends_with_a_known_version_or_none(
    monkeypatch: pytest.MonkeyPatch, core: Core, status: int, version: str | None
) -> None:
    monkeypatch.setattr("serving.engine.inside.middleware.RESET_ATTEMPTS", 4)
    guard, _, client = guarded(monkeypatch, core)
    response = await client.post("/understudy/load", json={"path": "/x", "version": "v2"}, headers=CONTROL)
    assert (response.status_code, guard.version, guard.loading) == (status, version, False)
    if version is None:
        assert (await chat(client, CONTROL)).status_code == 409


async def test_a_load_that_raises_leaves_an_engine_that_answers_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    guard, _, client = guarded(monkeypatch, Core([]))
    response = await client.post("/understudy/load", json={"path": "/x", "version": "v2"}, headers=CONTROL)
    assert (response.status_code, guard.version) == (500, None)


@pytest.mark.parametrize("body", [b"{", b"[]", b"x" * (MAX_CONTROL_BODY + 1), b'{"path": 1}'])
async def test_a_wrong_control_body_is_refused(monkeypatch: pytest.MonkeyPatch, body: bytes) -> None:
    guard, _, client = guarded(monkeypatch)
    response = await client.post("/understudy/load", content=body, headers=CONTROL)
    assert response.status_code in (400, 413)
    assert guard.version == "v1"


async def test_websockets_are_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    guard, inner, _ = guarded(monkeypatch)
    sent: list[MutableMapping[str, Any]] = []

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    await guard({"type": "websocket", "path": "/v1/realtime", "headers": []}, None, send)  # type: ignore[arg-type]
    assert (sent[0]["type"], inner.calls) == ("websocket.close", 0)


def test_without_keys_it_does_not_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("UNDERSTUDY_ENGINE_KEY", raising=False)
    with pytest.raises(RuntimeError, match="UNDERSTUDY_ENGINE_KEY"):
        VersionGuard(lambda scope, receive, send: asyncio.sleep(0))


@pytest.mark.parametrize("key", [KEY, CONTROL])
async def test_an_open_engine_refuses_what_means_another_version(
    monkeypatch: pytest.MonkeyPatch, key: dict[str, str]
) -> None:
    _, inner, client = guarded(monkeypatch)
    await client.post("/understudy/open", json={"version": "v1"}, headers=CONTROL)
    response = await chat(client, {**key, "x-understudy-version": "v2"})
    assert (response.status_code, response.json()["error"]["code"]) == (409, "version_mismatch")
    assert (response.json()["loaded"], inner.calls) == ("v1", 0)
