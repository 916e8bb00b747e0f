"""An API of somebody else that behaves as such do: full, wrong, echoing keys; asked within a budget of tokens."""

from __future__ import annotations

import contextlib
import json
import math
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import redis
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from deploy.engines.client import TRIES, BlockingEngineClient, EngineClient
from deploy.engines.metered import GaveUp, MeteredEngine, OverBudget
from deploy.engines.queries import prompt_logprobs
from deploy.engines.told import told_chat
from feedback.store.keys import RedisKeys
from feedback.store.spending import Spending
from tests.serving.up.server import served
from understudy.errors import BadRequest, Unavailable

KEY = "sk-never-to-be-seen"
ASK = [{"role": "user", "content": "我的订单什么时候到?"}]
GOOD = {"choices": [{"message": {"content": "明天。"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 12, "completion_tokens": 3}}  # fmt: skip
Answers = list[Response]


class Api:
    """Answers in the order of `answers`, the last one again and again."""

    def __init__(self) -> None:
        self.answers: Answers = []
        self.asked = 0
        self.url = ""

    async def serve(self, _: Request) -> Response:
        self.asked += 1
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


@pytest.fixture
def api() -> Iterator[Api]:
    made = Api()
    with served(Starlette(routes=[Route("/v1/{path:path}", made.serve, methods=["POST"])])) as url:
        made.url = url
        yield made


def chat(api: Api) -> Callable[..., Any]:
    client = EngineClient(api.url, "m", KEY, ours=False)

    async def ask(deadline: float = 5.0) -> Any:
        return await client.chat(ASK, version="external", max_tokens=8, deadline=deadline)

    return ask


async def test_a_rate_limit_is_waited_out_within_the_deadline(api: Api) -> None:
    api.answers = [JSONResponse({}, 429, {"retry-after": "0"}), JSONResponse(GOOD)]
    assert (await chat(api)()).text == "明天。"
    assert api.asked == 2


@pytest.mark.parametrize(("after", "asked"), [("0", TRIES), ("3600", 1), ("soon", 1)])
async def test_retries_have_a_budget(api: Api, after: str, asked: int) -> None:
    api.answers = [JSONResponse({"error": {"message": "slow down"}}, 429, {"retry-after": after})]
    with pytest.raises(Unavailable, match="429: slow down"):
        await chat(api)()
    assert api.asked == asked


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (JSONResponse({"error": {"message": "overloaded"}}), "200 and yet an error: overloaded"),
        (JSONResponse({"error": "no such model"}), "200 and yet an error: no such model"),
        (JSONResponse({**GOOD, "error": {"message": "broken off"}}), "200 and yet an error: broken off"),
        (Response(json.dumps(GOOD)[:40], media_type="application/json"), "cut short, or not JSON"),
        (JSONResponse({"choices": []}), "not that of an engine"),
    ],
)
async def test_an_answer_that_is_none_is_a_clear_error(api: Api, answer: Response, why: str) -> None:
    api.answers = [answer]
    with pytest.raises(Unavailable, match=why):
        await chat(api)()
    with contextlib.closing(BlockingEngineClient(api.url, KEY)) as client, pytest.raises(Unavailable, match=why):
        client.ask(told_chat("m", ASK, 8), 5.0)


async def test_a_key_that_an_api_repeats_is_in_no_error(api: Api) -> None:
    for status, kind in ((401, Unavailable), (400, BadRequest), (200, Unavailable)):
        api.answers = [JSONResponse({"error": {"message": f"Incorrect API key provided: {KEY}"}}, status)]
        with pytest.raises(kind, match=r"provided: \*\*\*") as refused:
            await chat(api)()
        assert KEY not in str(refused.value)


async def test_a_key_that_is_escaped_as_json_may_be_is_in_no_error(api: Api) -> None:
    escaped = r'{"error": {"message": "no quota for sk-a\/b\/c-d"}}'
    api.answers = [Response(escaped, media_type="application/json")]
    with pytest.raises(Unavailable, match=r"no quota for \*\*\*"):
        await EngineClient(api.url, "m", "sk-a/b/c-d", ours=False).chat(ASK, version="external", max_tokens=8)


def test_a_key_that_no_header_can_carry_is_in_no_error(api: Api) -> None:
    with (
        contextlib.closing(BlockingEngineClient(api.url, "sk-one\nsk-two")) as client,
        pytest.raises(Unavailable, match="LocalProtocolError") as refused,
    ):
        client.ask(prompt_logprobs("m", [[7]], 1), 5.0)
    assert "sk-" not in str(refused.value)


def scored(*positions: dict[int, float] | None) -> Response:
    rows = [row and {str(token): {"logprob": value} for token, value in row.items()} for row in positions]
    return Response(
        json.dumps({"choices": [{"index": 0, "prompt_logprobs": rows}]}), media_type="application/json"
    )  # fmt: skip


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (scored(None, {8: -0.1}), "2 positions for 3 tokens"),
        (scored(None, {8: -0.1, 1: -2.0}, {7: -0.2}), "its own token 9: it reads other tokens"),
        (scored(None, {8: 0.5}, {9: -0.2}), "position 1 is above 0"),
        (scored(None, {8: math.nan}, {9: -0.2}), "position 1 is above 0, or no number"),
    ],
)
def test_log_probabilities_that_cannot_be_are_never_learned_from(api: Api, answer: Response, why: str) -> None:
    api.answers = [answer]
    query = prompt_logprobs("m", [[7, 8, 9]], 1)
    with contextlib.closing(BlockingEngineClient(api.url, KEY)) as client, pytest.raises(Unavailable, match=why):
        client.ask(query, 5.0)
    api.answers = [scored(None, {8: -0.1}, {9: 0.0})]
    with contextlib.closing(BlockingEngineClient(api.url, KEY)) as client:
        assert client.ask(query, 5.0) == [[{}, {8: -0.1}, {9: 0.0}]]


async def test_copies_are_counted_and_end_at_the_cap_of_the_day(api: Api, redis_url: str) -> None:
    api.answers = [JSONResponse(GOOD)]
    passed = 0.0
    spending = Spending(redis.Redis.from_url(redis_url), RedisKeys("us:"), 30, lambda: 0.0, lambda: passed)
    engine = MeteredEngine(EngineClient(api.url, "m", ours=False), spending)
    for _ in range(2):
        assert (await engine.chat(ASK, version="external", max_tokens=8)).completion_tokens == 3
        passed += 1.0
    with pytest.raises(OverBudget, match="30 tokens of today"):
        await engine.chat(ASK, version="external", max_tokens=8)
    assert (spending.today(), api.asked) == ({"primary": 0, "shadow": 30, "scoring": 0, "probes": 0}, 2)
    assert await engine.running() == 0


@pytest.mark.parametrize(
    ("answer", "asked", "counted"),
    [
        (JSONResponse({"error": "slow down"}, 429), 1, False),
        (JSONResponse({"error": "slow down"}, 429, {"retry-after": "0"}), TRIES, False),
        (JSONResponse({"error": "broken"}, 500), 1, False),
        (JSONResponse({"error": "overloaded"}), 1, True),
        (Response('{"choices": [', media_type="application/json"), 1, True),
    ],
)
async def test_a_copy_is_given_up_when_what_comes_is_no_reply_and_what_was_charged_for_it_counts(
    api: Api, redis_url: str, answer: Response, asked: int, counted: bool
) -> None:
    """Whoever keeps a copy until its deadline asks again where an engine is away, and must not where each try costs."""
    api.answers = [answer]
    spending = Spending(redis.Redis.from_url(redis_url), RedisKeys("us:"), None, lambda: 0.0)
    with pytest.raises(GaveUp):
        await MeteredEngine(EngineClient(api.url, "m", ours=False), spending).chat(
            ASK, version="external", max_tokens=8
        )
    assert api.asked == asked
    assert (spending.today()["shadow"] > 0) is counted


async def test_an_api_that_is_away_is_asked_again(redis_url: str) -> None:
    spending = Spending(redis.Redis.from_url(redis_url), RedisKeys("us:"), None, lambda: 0.0)
    engine = MeteredEngine(EngineClient("http://127.0.0.1:1", "m", ours=False), spending)
    with pytest.raises(Unavailable):
        await engine.chat(ASK, version="external", max_tokens=8)


async def test_usage_that_is_null_is_guessed(api: Api) -> None:
    api.answers = [JSONResponse({**GOOD, "usage": {"prompt_tokens": None, "completion_tokens": None}})]
    reply = await chat(api)()
    assert (reply.text, reply.prompt_tokens, reply.completion_tokens) == ("明天。", 0, 0)


async def test_an_answer_that_does_not_tell_its_tokens_costs_what_is_guessed(api: Api, redis_url: str) -> None:
    api.answers = [JSONResponse({"choices": GOOD["choices"]})]
    spending = Spending(redis.Redis.from_url(redis_url), RedisKeys("us:"), None, lambda: 0.0)
    await MeteredEngine(EngineClient(api.url, "m", ours=False), spending).chat(ASK, version="external", max_tokens=8)
    guessed = -(-len((json.dumps(ASK, ensure_ascii=False) + "明天。").encode()) // 4)
    assert spending.today()["shadow"] == guessed
    with contextlib.closing(BlockingEngineClient(api.url)) as client:
        assert client.ask(told_chat("m", ASK, 8), 5.0).spent == guessed
