"""How workers and the controller ask an engine."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from deploy.engines.client import EngineClient
from online_distill.data.encoding import Encoder
from tests.engines import EARLIER, LATER, Engines
from tests.online_distill.world import TOKENIZER
from trials.system import free_ports
from understudy.errors import BadRequest, Conflict, Unavailable

pytestmark = [pytest.mark.engines, pytest.mark.timeout(400)]
ASK = [{"role": "user", "content": "订单 4711 什么时候到? When does it arrive?"}]


@pytest.fixture
async def client(engines: Engines) -> EngineClient:
    return EngineClient(engines.url("student-a"), "student", engines.key)


async def test_a_reply_says_what_it_cost(client: EngineClient) -> None:
    reply = await client.chat(ASK, version=EARLIER, max_tokens=6)
    again = await client.chat(ASK, version=EARLIER, max_tokens=6, priority=0)
    assert reply.text == again.text
    assert reply.version == EARLIER
    assert reply.prompt_tokens > 5
    assert 0 < reply.completion_tokens <= 6
    assert reply.tokens is not None
    assert len(reply.tokens) == reply.completion_tokens
    assert Encoder(TOKENIZER).text(reply.tokens) == reply.text
    assert reply.finish_reason in ("length", "stop")


async def test_errors_say_whose_fault_it_is(client: EngineClient) -> None:
    with pytest.raises(Conflict, match=EARLIER):
        await client.chat(ASK, version=LATER, max_tokens=4)
    with pytest.raises(BadRequest):
        await client.chat(ASK, version=EARLIER, max_tokens=4, temperature=-3)
    with pytest.raises(Unavailable, match="no answer within"):
        await client.chat(ASK, version=EARLIER, max_tokens=800, deadline=0.05, ignore_eos=True)


async def test_an_engine_that_is_away_is_unavailable() -> None:
    client = EngineClient(f"http://127.0.0.1:{free_ports(1)[0]}", "student", "k")
    with pytest.raises(Unavailable):
        await client.chat(ASK, version=EARLIER, max_tokens=4)
    with pytest.raises(Unavailable):
        await client.running()


async def test_running_requests_are_counted(client: EngineClient) -> None:
    """Several tries: on a busy machine the three may be over before they are counted."""
    seen = 0
    for _ in range(5):
        if seen == 3:
            break
        tasks = [
            asyncio.create_task(client.chat(ASK, version=EARLIER, max_tokens=500, deadline=600, ignore_eos=True))
            for _ in range(3)
        ]
        while seen < 3 and not all(task.done() for task in tasks):
            with contextlib.suppress(Unavailable):  # on a busy machine it takes its time
                seen = max(seen, await client.running())
        await asyncio.gather(*tasks)
    assert seen == 3


async def test_somebody_elses_api_is_asked_without_version_and_priority(engines: Engines) -> None:
    other = EngineClient(engines.url("student-a"), "student", engines.key, ours=False)
    with pytest.raises(Conflict, match="x-understudy-version"):
        await other.chat(ASK, version="external", max_tokens=4)
    assert await other.running() == 0
