"""How the report asks: so many at a time, in order, and which line of a stream is the first word."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from online_distill.data.encoding import Encoder
from serving.up.report import asking
from serving.up.report.asking import Asker, Greedy, LoadedEngine, over, spoken
from serving.up.report.demands import parts
from serving.up.report.questions import ReportQuestion
from tests.engines import EARLIER, Engines
from tests.online_distill.world import TOKENIZER
from understudy.errors import Unavailable


async def test_answers_come_in_order_and_no_more_are_asked_at_once_than_allowed() -> None:
    now, most = 0, 0

    async def ask(item: int) -> int:
        nonlocal now, most
        now += 1
        most = max(most, now)
        await asyncio.sleep(0.01 * (5 - item))
        now -= 1
        return item * 10

    assert await over(range(5), ask, at_once=2) == [0, 10, 20, 30, 40]
    assert most == 2


@pytest.mark.parametrize(
    ("choices", "first"),
    [([{"delta": {"content": "Hi"}}], True), ([{"delta": {"role": "assistant", "content": ""}}], False), ([], False)],
)
def test_only_text_is_a_first_token(choices: list[dict[str, object]], first: bool) -> None:
    assert spoken(f"data: {json.dumps({'choices': choices})}") is first


REPLY = {
    "choices": [{"message": {"content": "Hi"}, "token_ids": [1, 2]}], "prompt_token_ids": [7],
    "usage": {"completion_tokens": 2},
}  # fmt: skip


@pytest.mark.parametrize("way", ["chat", "said", "first_token", "throughput"])
@pytest.mark.parametrize(
    ("refusals", "status", "asked"), [(0, 503, 1), (2, 503, 3), (3, 429, 4), (4, 503, 4), (1, 400, 1)]
)
async def test_what_is_refused_for_the_moment_is_asked_again_and_nothing_else_is(
    monkeypatch: pytest.MonkeyPatch, refusals: int, status: int, asked: int, way: str
) -> None:
    monkeypatch.setattr(asking, "WAITS", tuple(0.0 for _ in asking.WAITS))
    seen = 0

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal seen
        head = await reader.readuntil(b"\r\n\r\n")
        await reader.readexactly(int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0]))
        seen += 1
        found = status if seen <= refusals else 200
        body = json.dumps(REPLY)
        writer.write(f"HTTP/1.1 {found} X\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n{body}".encode())
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    asker, loaded = Asker(f"{url}/v1"), LoadedEngine(url, "student", "v1", "k")
    question = ReportQuestion(purpose="judged", family="general", messages=())
    ways: dict[str, Callable[[], Awaitable[Any]]] = {
        "chat": lambda: asker.chat("student", []), "said": lambda: asker.said(loaded, []),
        "first_token": lambda: asker.first_token(loaded, [question]),
        "throughput": lambda: asker.throughput(loaded, [question]),
    }  # fmt: skip
    try:
        if asked > refusals:
            assert await ways[way](), "nothing took no time, and no reply is empty"
        else:
            with pytest.raises(Unavailable, match=str(status)):
                await ways[way]()
    finally:
        await asker.close()
        server.close()
    assert seen == asked


@pytest.mark.engines
@pytest.mark.timeout(400)
async def test_an_engine_says_of_each_token_of_a_reply_whether_it_agrees_and_what_it_says(engines: Engines) -> None:
    encoder, engine = Encoder(TOKENIZER), LoadedEngine(engines.url("student-a"), "student", EARLIER, engines.key)
    reply = "Order CK1234 costs 32 元."
    found = encoder.encode([{"role": "user", "content": "What is it?"}], reply, max_length=200, max_reply=64)
    assert found is not None
    asker = Asker("http://127.0.0.1:1")
    given = Greedy(tuple(found.tokens[: found.start]), tuple(found.tokens[found.start :]), reply)
    agreed, texts = await asker.agreed(engine, given)
    told = await asker.said(engine, [{"role": "user", "content": "What is it?"}])  # no gateway: none runs here
    await asker.close()
    assert told.prompt == given.prompt
    assert 0 < len(told.tokens) <= 64
    assert len(agreed) == len(texts) == len(given.tokens)
    assert "".join(texts).startswith(reply)
    assert "computed" in parts(texts, ["32 元"], "What is it?")
