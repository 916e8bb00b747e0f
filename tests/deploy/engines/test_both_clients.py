"""The two clients ask the same and judge alike, each in its own way of waiting."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Iterator

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from deploy.engines.client import TRIES, BlockingEngineClient, EngineClient
from deploy.engines.queries import busy, models
from tests.serving.up.server import served
from understudy.errors import Unavailable

LOAD = 'vllm:num_requests_running{engine="0"} 1.0\nvllm:num_requests_waiting{engine="0"} 9.0\n'
SEEN: list[str | None] = []
TRICKLE = 3.0
"""Seconds for which the engine sends a byte now and then."""
MODELS = {"data": [{"id": "m"}]}


@pytest.fixture
def url() -> Iterator[str]:
    """An engine with a load of one running and nine waiting, which never names its models.

    Beside it one that names them byte by byte, and one that is busy before it does.
    """

    async def metrics(request: Request) -> Response:
        SEEN.append(request.headers.get("authorization"))
        return PlainTextResponse(LOAD)

    async def slow(request: Request) -> Response:
        await asyncio.sleep(5)
        return PlainTextResponse("")

    async def trickling(request: Request) -> Response:
        async def sent() -> AsyncIterator[str]:
            end = time.monotonic() + TRICKLE
            while time.monotonic() < end:
                yield " "
                await asyncio.sleep(0.02)
            yield json.dumps(MODELS)

        return StreamingResponse(sent())

    async def busy_first(request: Request) -> Response:
        SEEN.append(None)
        if request.path_params["times"] >= len(SEEN):
            return JSONResponse({"error": {"message": "slow down"}}, 429, {"retry-after": request.path_params["after"]})
        return JSONResponse(MODELS)

    SEEN.clear()
    routes = [
        Route("/metrics", metrics), Route("/v1/models", slow), Route("/trickling/models", trickling),
        Route("/busy/{times:int}/{after}/models", busy_first),
    ]  # fmt: skip
    with served(Starlette(routes=routes)) as found:
        yield found


async def test_worker_and_trainer_see_the_same_load_behind_their_key(url: str) -> None:
    client = EngineClient(url, "m", "k")
    with contextlib.closing(BlockingEngineClient(f"{url}/v1", "k")) as blocking:
        assert (await client.running(), await asyncio.to_thread(blocking.ask, busy(), 5.0)) == (10, 10)
    await client.aclose()
    assert SEEN == ["Bearer k", "Bearer k"]


async def test_an_api_without_metrics_has_no_load(url: str) -> None:
    client = EngineClient(f"{url}/elsewhere", "m")
    assert await client.running() == 0
    await client.aclose()


async def test_neither_waits_beyond_its_deadline(url: str) -> None:
    client = EngineClient(url, "m")
    with pytest.raises(Unavailable, match="no answer within"):
        await client.ask(models(), 0.1)
    await client.aclose()
    with contextlib.closing(BlockingEngineClient(url)) as blocking, pytest.raises(Unavailable, match="ReadTimeout"):
        await asyncio.to_thread(blocking.ask, models(), 0.1)


async def test_neither_is_held_by_an_engine_that_sends_a_byte_now_and_then(url: str) -> None:
    began = time.monotonic()
    client = EngineClient(f"{url}/trickling", "m")
    with pytest.raises(Unavailable, match=r"no answer within 0\.2 s"):
        await client.ask(models(), 0.2)
    await client.aclose()
    with contextlib.closing(BlockingEngineClient(f"{url}/trickling")) as blocking:
        with pytest.raises(Unavailable, match=r"no answer within 0\.2 s") as late:
            await asyncio.to_thread(blocking.ask, models(), 0.2)
        assert late.value.code == "deadline"
        assert time.monotonic() - began < TRICKLE
        assert await asyncio.to_thread(blocking.ask, models(), 20 * TRICKLE) == ["m"]


def test_the_one_of_threads_waits_out_a_rate_limit_within_its_deadline(url: str) -> None:
    with contextlib.closing(BlockingEngineClient(f"{url}/busy/1/1")) as client:
        began = time.monotonic()
        assert client.ask(models(), 30.0) == ["m"]
        assert time.monotonic() - began >= 1.0
    assert len(SEEN) == 2


@pytest.mark.parametrize(("after", "asked"), [("0", TRIES), ("3600", 1), ("soon", 1)])
def test_the_retries_of_the_one_of_threads_have_a_budget(url: str, after: str, asked: int) -> None:
    with (
        contextlib.closing(BlockingEngineClient(f"{url}/busy/9/{after}")) as client,
        pytest.raises(Unavailable, match="429: slow down"),
    ):
        client.ask(models(), 5.0)
    assert len(SEEN) == asked
