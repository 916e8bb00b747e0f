"""OpenAI's client for Python, blocking and not, as applications use it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, Literal

import openai
import pytest
from pydantic import BaseModel

from tests.serving.gateway.clients.conftest import ASKED, CHOICE, ENDLESS, MESSAGES, STATES, TEXT, TOOL
from tests.serving.gateway.conftest import Running
from tests.waiting import eventually_async

pytestmark = [pytest.mark.engines, pytest.mark.timeout(400)]


class OrderState(BaseModel):
    """What a structured reply holds."""

    state: Literal["paid", "sent"]


@pytest.fixture
def client(base: str) -> Iterator[Any]:
    with openai.OpenAI(base_url=base, api_key="any", max_retries=0) as made:
        yield made


@pytest.fixture
async def waiting(base: str) -> AsyncIterator[Any]:
    async with openai.AsyncOpenAI(base_url=base, api_key="any", max_retries=0) as made:
        yield made


def test_a_stream_says_what_the_whole_reply_says_and_counts_the_same(client: Any) -> None:
    whole = client.chat.completions.create(**ASKED)
    parts = list(client.chat.completions.create(**ASKED, stream=True, stream_options={"include_usage": True}))
    assert "".join(part.choices[0].delta.content or "" for part in parts if part.choices)
    assert "".join(part.choices[0].delta.content or "" for part in parts if part.choices) == (
        whole.choices[0].message.content
    )
    assert parts[-1].usage.completion_tokens == whole.usage.completion_tokens
    assert len({part.id for part in parts}) == 1


def test_completions_and_the_list_of_models(client: Any) -> None:
    asked = {"model": "student", "prompt": TEXT, "temperature": 0, "max_tokens": 8}
    whole = client.completions.create(**asked)
    streamed = client.completions.create(**asked, stream=True)
    assert "".join(part.choices[0].text for part in streamed if part.choices) == whole.choices[0].text
    names = {model.id for model in client.models.list()}
    assert {"auto", "teacher", "student"} <= names
    assert client.models.retrieve("teacher").id == "teacher"


def test_several_choices_with_their_likeliest_tokens(client: Any) -> None:
    reply = client.chat.completions.create(**{**ASKED, "temperature": 1}, n=3, seed=7, logprobs=True, top_logprobs=2)
    assert [choice.index for choice in reply.choices] == [0, 1, 2]
    for choice in reply.choices:
        assert all(len(token.top_logprobs) == 2 for token in choice.logprobs.content)


def test_a_tool_is_called_whole_and_in_a_stream_and_its_result_goes_back(client: Any) -> None:
    asked = {**ASKED, "max_tokens": 64, "tools": [TOOL], "tool_choice": CHOICE}
    message = client.chat.completions.create(**asked).choices[0].message
    (call,) = message.tool_calls
    assert call.function.name == "find_order"
    assert json.loads(call.function.arguments)["state"] in STATES
    with client.chat.completions.stream(**asked) as stream:
        (streamed,) = stream.get_final_completion().choices[0].message.tool_calls
    assert (streamed.function.name, json.loads(streamed.function.arguments)) == (
        "find_order", json.loads(call.function.arguments),
    )  # fmt: skip
    result = {"role": "tool", "tool_call_id": call.id, "content": "sent on Monday"}
    turns = [*MESSAGES, message.model_dump(exclude_none=True), result]
    assert client.chat.completions.create(**{**ASKED, "messages": turns}, tools=[TOOL], tool_choice="none").choices


def test_a_structured_reply_is_read_by_its_model(client: Any) -> None:
    parsed = client.chat.completions.parse(**{**ASKED, "max_tokens": 64}, response_format=OrderState)
    assert parsed.choices[0].message.parsed.state in STATES
    with client.chat.completions.stream(**{**ASKED, "max_tokens": 64}, response_format=OrderState) as stream:
        assert stream.get_final_completion().choices[0].message.parsed.state in STATES


def test_refusals_are_the_clients_own_errors(client: Any) -> None:
    with pytest.raises(openai.NotFoundError) as unknown:
        client.chat.completions.create(**{**ASKED, "model": "nobody"})
    assert (unknown.value.code, bool(unknown.value.request_id)) == ("model_not_found", True)
    with pytest.raises(openai.BadRequestError) as engines_own:
        client.chat.completions.create(**{**ASKED, "temperature": -1})
    assert "temperature" in engines_own.value.message
    with pytest.raises(openai.NotFoundError):
        client.responses.create(model="teacher", input="x")


def test_a_stream_that_is_closed_frees_the_engine(client: Any, freed: Callable[[], None]) -> None:
    with client.chat.completions.create(**ENDLESS, extra_body={"ignore_eos": True}) as stream:
        assert next(iter(stream)).choices
    freed()


async def test_without_blocking_streams_run_side_by_side_and_keep_apart(waiting: Any) -> None:
    async def said(model: str, text: str) -> str:
        asked = {**ASKED, "model": model, "messages": [{"role": "user", "content": text}]}
        parts = [part async for part in await waiting.chat.completions.create(**asked, stream=True)]
        return "".join(part.choices[0].delta.content or "" for part in parts if part.choices)

    asked = [(model, f"Order {number}?") for model in ("teacher", "student") for number in range(4)]
    alone = [await said(*one) for one in asked]
    assert await asyncio.gather(*(said(*one) for one in asked)) == alone


async def test_a_task_that_is_cancelled_frees_the_engine(
    waiting: Any, before_engines: Running, freed: Callable[[], None]
) -> None:
    asked = {**ENDLESS, "stream": False}
    task = asyncio.ensure_future(waiting.chat.completions.create(**asked, extra_body={"ignore_eos": True}))
    await eventually_async(lambda: before_engines.gateway.metrics.in_flight == 1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.to_thread(freed)
