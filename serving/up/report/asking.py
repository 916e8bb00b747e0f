"""Asks gateway and engines for what the report needs. Nothing asked here is captured or learned from."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import httpx

from deploy.engines.address import api_url
from deploy.engines.client import BUSY
from deploy.engines.names import CHAT, COMPLETIONS, VERSION_HEADER
from serving.up.report.demands import parts, states_all
from serving.up.report.figures import ComparedReply, median
from serving.up.report.questions import ReportQuestion
from understudy.errors import Unavailable

TOKENS = 64
AT_ONCE = 8
SECONDS = 120.0
WAITS = (1.0, 5.0, 20.0)
"""Seconds before what was refused for the moment, or broke off, is asked again: one reply must not cost the report."""
Messages = Sequence[dict[str, str]]
T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Greedy:
    """A greedy reply: token ids of prompt and reply, and its text."""

    prompt: tuple[int, ...]
    tokens: tuple[int, ...]
    text: str


@dataclass(frozen=True, slots=True)
class LoadedEngine:
    """An engine and the version that it holds, to be asked directly."""

    url: str
    model: str
    version: str
    key: str

    @property
    def headers(self) -> dict[str, str]:
        """Key and version, without which an engine refuses."""
        return {"authorization": f"Bearer {self.key}", VERSION_HEADER: self.version}


async def over(items: Sequence[T], ask: Callable[[T], Awaitable[R]], at_once: int = AT_ONCE) -> list[R]:
    """`ask` of every item, `at_once` at a time; results in order. Where one fails the others end, too."""
    limit = asyncio.Semaphore(at_once)

    async def one(item: T) -> R:
        async with limit:
            return await ask(item)

    tasks = [asyncio.ensure_future(one(item)) for item in items]
    try:
        return list(await asyncio.gather(*tasks))
    finally:
        for task in tasks:
            task.cancel()


async def patiently(ask: Callable[[], Awaitable[R]]) -> R:
    """What `ask` gives, called again after `WAITS` where an answer may come later.

    Raises:
        Unavailable: none came, or a refusal.
    """
    for wait in (*WAITS, None):
        try:
            return await ask()
        except httpx.HTTPStatusError as error:
            answer = error.response
            said = f"{answer.status_code} {answer.text[:200]}"
            if answer.status_code not in BUSY:
                break
        except httpx.TransportError as error:
            said = f"{type(error).__name__} {error}"
        if wait is not None:
            await asyncio.sleep(wait)
    raise Unavailable(f"an engine or the gateway does not answer what the report asks: {said}")


class Asker:
    """A client of the gateway at `url` and of engines."""

    def __init__(self, url: str, seconds: float = SECONDS, key: str = "") -> None:
        """`seconds`: how long an answer may take; `key`: what the gateway is shown."""
        self._key = key
        limits = httpx.Limits(max_connections=4 * AT_ONCE)
        self._http = httpx.AsyncClient(timeout=seconds, limits=limits)
        self._url = url

    async def close(self) -> None:
        """Close all connections."""
        await self._http.aclose()

    async def chat(self, model: str, messages: Messages, **more: Any) -> dict[str, Any]:
        """One reply through the gateway, whole."""
        headers = {"x-understudy-no-capture": "1"}
        if self._key:
            headers["authorization"] = f"Bearer {self._key}"
        body = _body(model, messages, return_token_ids=True, **more)
        return await self._answer(api_url(self._url, CHAT), body, headers)

    async def _answer(self, url: str, body: dict[str, Any], headers: dict[str, str]) -> dict[str, Any]:
        async def once() -> dict[str, Any]:
            answer = await self._http.post(url, json=body, headers=headers)
            found: dict[str, Any] = answer.raise_for_status().json()
            return found

        return await patiently(once)

    async def greedy(self, model: str, messages: Messages) -> Greedy:
        """The greedy reply of `model` through the gateway with its token ids."""
        return _greedy(await self.chat(model, messages))

    async def said(self, engine: LoadedEngine, messages: Messages) -> Greedy:
        """The same of the version in `engine`, asked directly: the gateway names no version that was never fit."""
        body = _body(engine.model, messages, return_token_ids=True)
        return _greedy(await self._answer(api_url(engine.url, CHAT), body, engine.headers))

    async def agreed(self, engine: LoadedEngine, teacher: Greedy) -> tuple[tuple[bool, ...], tuple[str, ...]]:
        """For each token of the teacher's reply: is it the engine's argmax after the teacher's prefix; and its text."""
        body = {
            "model": engine.model, "prompt": [*teacher.prompt, *teacher.tokens], "max_tokens": 1, "temperature": 0,
            "prompt_logprobs": 1,
        }  # fmt: skip
        answer = await self._answer(api_url(engine.url, COMPLETIONS), body, engine.headers)
        rows = answer["choices"][0]["prompt_logprobs"][len(teacher.prompt) :]
        own = [row[str(t)] for row, t in zip(rows, teacher.tokens, strict=True)]
        return tuple(one["rank"] == 1 for one in own), tuple(str(one.get("decoded_token") or "") for one in own)

    async def judged(
        self, engine: LoadedEngine, questions: Sequence[ReportQuestion], teacher: Sequence[Greedy]
    ) -> list[ComparedReply]:
        """The version in `engine` beside the teacher's replies: asked, and scored on them."""

        async def one(item: tuple[ReportQuestion, Greedy]) -> ComparedReply:
            question, right = item
            said = await self.said(engine, question.messages)
            agreed, texts = await self.agreed(engine, right)
            asked = "\n".join(message["content"] for message in question.messages)
            sorts = parts(texts, question.facts, asked) if any(texts) else ()
            return ComparedReply(right.tokens, said.tokens, agreed, states_all(said.text, question.facts), sorts)

        return await over(list(zip(questions, teacher, strict=True)), one)

    async def first_token(self, engine: LoadedEngine, questions: Sequence[ReportQuestion]) -> float:
        """Median seconds from request to first token, one request at a time."""
        return median(await over(questions, lambda one: patiently(lambda: self._first(engine, one)), at_once=1))

    async def throughput(
        self, engine: LoadedEngine, questions: Sequence[ReportQuestion], at_once: int = AT_ONCE
    ) -> float:
        """Tokens in a second at so many requests at a time, each of the same length."""
        more = {"ignore_eos": True, "stream": False}

        async def once() -> float:
            began = time.perf_counter()
            tokens = await over(questions, lambda one: self._length(engine, one, more), at_once)
            return sum(tokens) / (time.perf_counter() - began)

        return await patiently(once)

    async def _first(self, engine: LoadedEngine, question: ReportQuestion) -> float:
        began = time.perf_counter()
        body = _body(engine.model, question.messages, max_tokens=4, stream=True)
        url, first = api_url(engine.url, CHAT), 0.0
        async with self._http.stream("POST", url, json=body, headers=engine.headers) as answer:
            if answer.is_error:
                await answer.aread()
                answer.raise_for_status()
            async for line in answer.aiter_lines():
                if not first and line.startswith("data: {") and spoken(line):
                    first = time.perf_counter() - began
        return first or time.perf_counter() - began  # it said nothing that can be read

    async def _length(self, engine: LoadedEngine, question: ReportQuestion, more: dict[str, Any]) -> int:
        body = _body(engine.model, question.messages, **more)
        answer = await self._http.post(api_url(engine.url, CHAT), json=body, headers=engine.headers)
        return int(answer.raise_for_status().json()["usage"]["completion_tokens"])


def _body(model: str, messages: Messages, **more: Any) -> dict[str, Any]:
    return {"model": model, "messages": list(messages), "max_tokens": TOKENS, "temperature": 0, **more}


def _greedy(answer: dict[str, Any]) -> Greedy:
    choice = answer["choices"][0]
    prompt = answer.get("prompt_token_ids") or choice.get("prompt_token_ids")
    return Greedy(tuple(prompt), tuple(choice["token_ids"]), choice["message"]["content"] or "")


def spoken(line: str) -> bool:
    """Whether a line of a stream carries text."""
    choices = json.loads(line.removeprefix("data: "))["choices"]
    return bool(choices and choices[0]["delta"].get("content"))
