"""The two clients ask the same and judge alike, each in its own way of waiting."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from deploy.engines.client import BlockingEngineClient, EngineClient
from deploy.engines.queries import busy, models
from tests.serving.up.server import served
from understudy.errors import Unavailable

LOAD = 'vllm:num_requests_running{engine="0"} 1.0\nvllm:num_requests_waiting{engine="0"} 9.0\n'
SEEN: list[str | None] = []


@pytest.fixture
def url() -> Iterator[str]:
    """An engine with a load of one running and nine waiting, which never names its models."""

    async def metrics(request: Request) -> Response:
        SEEN.append(request.headers.get("authorization"))
        return PlainTextResponse(LOAD)

    async def slow(request: Request) -> Response:
        await asyncio.sleep(5)
        return PlainTextResponse("")

    with served(Starlette(routes=[Route("/metrics", metrics), Route("/v1/models", slow)])) as found:
        yield found


async def test_worker_and_trainer_see_the_same_load_behind_their_key(url: str) -> None:
    SEEN.clear()
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
