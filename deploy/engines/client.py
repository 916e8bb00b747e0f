"""Sends queries to one engine by httpx: `EngineClient` for asyncio, `BlockingEngineClient` for threads. No torch."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from typing import Any, TypeVar

import httpx

from deploy.engines import queries
from deploy.engines.address import api_url, server_base
from deploy.engines.queries import Answer, Meant, Query, understood
from deploy.engines.striking import struck
from feedback.shadow.asking import BACKGROUND_PRIORITY, Reply
from understudy.errors import BadRequest, Unavailable
from understudy.ids import random_id

T = TypeVar("T")
CONNECT = 2.0
"""Seconds for a connection of `BlockingEngineClient`, whose callers try again."""
TRIES = 3
"""Times that an engine is asked which says when it may be asked again, all within one deadline."""
BUSY = frozenset({429, 503})
SHORT = 5.0
"""Seconds for a query that needs no work."""


class EngineClient:
    """The engine at `url`; implements `feedback.shadow.asking.Engine`.

    An engine of ours, or with `ours` False somebody else's API, which knows no versions or priorities.

    Raises:
        httpx.InvalidURL: `url` is none.
    """

    def __init__(self, url: str, model: str, key: str = "", *, ours: bool = True, connections: int = 16) -> None:
        self._place = _BaseAddress(url, key)
        self._model = model
        self._ours = ours
        limits = httpx.Limits(max_connections=connections)
        self._http = httpx.AsyncClient(headers=_bearer(key), limits=limits, trust_env=False)

    async def aclose(self) -> None:
        """Close connections."""
        await self._http.aclose()

    async def chat(
        self,
        messages: list[dict[str, Any]],
        *,
        version: str,
        max_tokens: int,
        priority: int = BACKGROUND_PRIORITY,
        deadline: float = 30.0,
        **sampling: Any,
    ) -> Reply:
        """Greedy (unless `sampling` says otherwise) reply of `version`; `deadline` in seconds, of the whole.

        Raises:
            Conflict: the engine serves another version.
            Unavailable: engine away, overloaded or past the deadline.
            BadRequest: the engine refused the request itself.
        """
        meant = Meant(version, priority) if self._ours else None
        began = time.monotonic()
        reply = await self.ask(queries.chat(self._model, messages, max_tokens, meant, **sampling), deadline)
        return replace(reply, version=version, seconds=time.monotonic() - began)

    async def running(self) -> int:
        """Requests that the engine runs or has waiting; 0 of one that does not say, such as somebody else's API.

        Raises:
            Unavailable: engine away.
        """
        if not self._ours:
            return 0
        try:
            return await self.ask(queries.busy(), SHORT)
        except BadRequest:
            return 0

    async def ask(self, query: Query[T], deadline: float) -> T:
        """What was asked for, within `deadline` seconds; raises as `queries.understood` does."""
        until = time.monotonic() + deadline
        for _ in range(TRIES - 1):
            answer = await self.send(query, max(0.001, until - time.monotonic()))
            wait = answer.retry_after
            if answer.status not in BUSY or wait is None or time.monotonic() + wait >= until:
                return understood(query, answer)
            await asyncio.sleep(wait)
        return understood(query, await self.send(query, max(0.001, until - time.monotonic())))

    async def send(self, query: Query[Any], deadline: float) -> Answer:
        """The answer, whatever its status.

        Raises:
            Unavailable: none came within `deadline` seconds.
        """
        try:
            async with asyncio.timeout(deadline):
                response = await self._http.request(**self._place.request(query), timeout=deadline)
        except TimeoutError:
            raise _late(deadline) from None
        except httpx.HTTPError as error:
            raise self._place.away(error) from None
        return self._place.answer(response, response.text)


class BlockingEngineClient:
    """The engine at `url`, asked by a thread that waits."""

    def __init__(self, url: str, key: str = "") -> None:
        self._place = _BaseAddress(url, key)
        self._http = httpx.Client(headers=_bearer(key), trust_env=False)

    def close(self) -> None:
        """Close connections."""
        self._http.close()

    def ask(self, query: Query[T], deadline: float) -> T:
        """What was asked for; raises as `queries.understood` does.

        One that says when it may be asked again is asked again then, `TRIES` times and within `deadline` seconds.
        """
        until = time.monotonic() + deadline
        for _ in range(TRIES - 1):
            answer = self.send(query, max(0.001, until - time.monotonic()))
            wait = answer.retry_after
            if answer.status not in BUSY or wait is None or time.monotonic() + wait >= until:
                return understood(query, answer)
            time.sleep(wait)
        return understood(query, self.send(query, max(0.001, until - time.monotonic())))

    def send(self, query: Query[Any], deadline: float) -> Answer:
        """The answer, whatever its status; `deadline` in seconds of the whole, and of any silence in it.

        Raises:
            Unavailable: none came, or not all of it.
        """
        until = time.monotonic() + deadline
        timeout = httpx.Timeout(deadline, connect=min(deadline, CONNECT))
        parts: list[str] = []
        try:
            with self._http.stream(**self._place.request(query), timeout=timeout) as response:
                for part in response.iter_text():
                    if time.monotonic() >= until:
                        raise _late(deadline)
                    parts.append(part)
        except httpx.HTTPError as error:
            raise self._place.away(error) from None
        return self._place.answer(response, "".join(parts))


def _late(deadline: float) -> Unavailable:
    return Unavailable(f"no answer within {deadline:.3g} s", code="deadline")


def _bearer(key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"} if key else {}


class _BaseAddress:
    """Base URLs of an engine, and what is sent there."""

    def __init__(self, url: str, key: str = "") -> None:
        self._key = key
        self._url, self._server = str(httpx.URL(url)), server_base(url)

    def request(self, query: Query[Any]) -> dict[str, Any]:
        url = self._server + query.path if query.beside else api_url(self._url, query.path)
        headers = {"x-request-id": random_id(), **query.headers}
        return {"method": query.method, "url": url, "json": query.body, "headers": headers}

    def answer(self, response: httpx.Response, text: str) -> Answer:
        """What came back; a key that it repeats is not passed on, whatever the status: errors come with 200, too."""
        after = response.headers.get("retry-after", "")
        return Answer(response.status_code, struck(text, self._key), float(after) if after.isdecimal() else None)

    def away(self, error: Exception) -> Unavailable:
        """What is said of no answer; of a request that httpx itself refuses not its words, which quote our headers."""
        words = "" if isinstance(error, httpx.LocalProtocolError) else f" {error}"
        return Unavailable(
            f"the engine at {self._url} does not answer: {type(error).__name__}{struck(words, self._key)}"
        )
