"""What a client that streams notes: the text, the longest silence, a cut, an error in the middle, a refusal."""

from __future__ import annotations

import asyncio
import json

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from tests.serving.up.server import served
from trials.streams import Load, Observed, keep_streaming, stream_once

DONE = b"data: [DONE]\n\n"
PROMPTS = ["whole", "cut", "error", "refused"]


def event(text: str) -> bytes:
    return f"data: {json.dumps({'choices': [{'delta': {'content': text}}]})}\n\n".encode()


async def answer(request: Request) -> Response:
    kind = (await request.json())["messages"][0]["content"]
    if kind == "refused":
        return JSONResponse({"error": {"message": "no engine"}}, 502)

    async def parts():
        yield event("Hello")
        await asyncio.sleep(0.3)
        yield event(" you")
        if kind == "error":
            yield b'data: {"error": {"message": "broke off"}}\n\n'
        elif kind == "whole":
            yield DONE

    return StreamingResponse(parts(), headers={"x-understudy-version": "v2"})


@pytest.fixture
def base():
    with served(Starlette(routes=[Route("/v1/chat/completions", answer, methods=["POST"])])) as url:
        yield url


async def test_each_way_to_end_is_told_from_the_others(base: str) -> None:
    async with httpx.AsyncClient(base_url=base, timeout=60) as client:
        seen = [await stream_once(client, "student", PROMPTS, n, 4) for n in range(4)]
    assert [(one.finished, bool(one.error)) for one in seen] == [
        (True, False), (False, False), (False, True), (False, True),
    ]  # fmt: skip
    assert (seen[0].text, seen[0].version) == ("Hello you", "v2")
    assert seen[0].gap > 0.05
    assert "broke off" in seen[2].error
    assert seen[3].error.startswith("502")


async def test_a_client_goes_on_until_it_is_told_to_stop(base: str) -> None:
    load = Load()
    task = asyncio.create_task(keep_streaming(load, base, "student", PROMPTS[:1], 0, 4))
    while len(load.seen) < 2:
        await asyncio.sleep(0.05)
    load.stop.set()
    await asyncio.wait_for(task, 60)
    assert all(isinstance(one, Observed) and one.finished for one in load.seen)
