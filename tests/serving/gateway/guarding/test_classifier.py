"""An endpoint of somebody else's that judges, hangs, answers rubbish or is not there."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from serving.gateway.guarding.classifier import Classifier
from serving.guard.cascade import SYSTEM, GuardedText
from serving.guard.config import GuardEndpoint
from serving.guard.verdict import GuardVerdict

Answer = Callable[[list[str]], bytes | None]
GOOD, BAD = GuardedText("hello"), GuardedText("attack")


def judged(texts: list[str]) -> bytes:
    return json.dumps({"id": "x", "model": "m", "results": [{"flagged": "attack" in text} for text in texts]}).encode()


@asynccontextmanager
async def endpoint(answer: Answer, status: int = 200) -> AsyncIterator[tuple[str, list[Any]]]:
    """A moderation API; None in place of an answer: it hangs."""
    seen: list[Any] = []
    over = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        seen.append((head.split(b"\r\n")[0], json.loads(await reader.readexactly(length))))
        body = answer(seen[-1][1]["input"])
        if body is None:
            await over.wait()
        else:
            writer.write(
                b"HTTP/1.1 %d X\r\nconnection: close\r\ncontent-length: %d\r\n\r\n" % (status, len(body)) + body
            )
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1", seen
    finally:
        over.set()
        server.close()


async def asked(
    url: str, texts: list[GuardedText], times: int = 1, seconds: float = 30.0, **settings: Any
) -> tuple[GuardVerdict, Classifier]:
    classifier = Classifier(GuardEndpoint(url=url, model="m", **settings), 100)
    try:
        for _ in range(times):
            verdict = (await classifier.judge(texts, seconds)).verdict
    finally:
        await classifier.close()
    return verdict, classifier


async def test_it_is_asked_as_openai_s_api_is_and_its_word_counts() -> None:
    async with endpoint(judged) as (url, seen):
        assert (await asked(url, [GOOD]))[0] is GuardVerdict.ALLOW
        assert (await asked(url, [GOOD, BAD]))[0] is GuardVerdict.DEGRADE
        assert (await asked(url, [BAD], verdict="flag"))[0] is GuardVerdict.FLAG
    assert seen[1] == (b"POST /v1/moderations HTTP/1.1", {"input": ["hello", "attack"], "model": "m"})


@pytest.mark.parametrize(("added", "asked_at"), [("", b"/v1"), ("/api/v3/", b"/api/v3")])
async def test_its_address_is_understood_as_that_of_an_engine(added: str, asked_at: bytes) -> None:
    async with endpoint(judged) as (url, seen):
        await asked(url.removesuffix("/v1") + added, [GOOD])
    assert [line for line, _ in seen] == [b"POST %s/moderations HTTP/1.1" % asked_at]


async def test_a_text_is_sent_once_and_the_application_s_own_never() -> None:
    async with endpoint(judged) as (url, seen):
        verdict, _ = await asked(url, [BAD, GuardedText("our policy", SYSTEM)], times=3)
    assert verdict is GuardVerdict.DEGRADE
    assert [question["input"] for _, question in seen] == [["attack"]]


RUBBISH: dict[str, Answer] = {
    "no json": lambda texts: b"<html>",
    "another number of results": lambda texts: judged([*texts, "x"]),
    "no verdict": lambda texts: b'{"results": [{"flagged": "yes"}]}',
    "too long": lambda texts: b" " * (2 << 20),
    "hangs": lambda texts: None,
}


@pytest.mark.parametrize("name", RUBBISH)
@pytest.mark.parametrize(("on_failure", "verdict"), [("serve", GuardVerdict.ALLOW), ("degrade", GuardVerdict.DEGRADE)])
async def test_where_it_does_not_judge_the_setting_decides(name: str, on_failure: str, verdict: GuardVerdict) -> None:
    async with endpoint(RUBBISH[name]) as (url, _):
        seconds = 0.05 if name == "hangs" else 30.0
        found, classifier = await asked(url, [GOOD], seconds=seconds, on_failure=on_failure)
    assert found is verdict
    assert classifier.failures == 1


@pytest.mark.parametrize(("on_failure", "verdict"), [("serve", GuardVerdict.ALLOW), ("degrade", GuardVerdict.DEGRADE)])
async def test_an_error_or_nobody_there_is_a_failure(on_failure: str, verdict: GuardVerdict) -> None:
    async with endpoint(judged, status=500) as (url, _):
        assert (await asked(url, [GOOD], on_failure=on_failure))[0] is verdict
    assert (await asked(url, [GOOD], on_failure=on_failure))[0] is verdict
