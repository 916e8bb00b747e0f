"""Asks one engine for chat completions, for workers and the controller; implements `feedback.shadow.asking.Engine`."""

from __future__ import annotations

import asyncio
import re
import time
from typing import Any

import httpx

from feedback.shadow.asking import BACKGROUND_PRIORITY, Reply
from understudy.errors import BadRequest, Conflict, Unavailable
from understudy.ids import random_id

LOAD = re.compile(r"^vllm:num_requests_(?:running|waiting)\{[^}]*\} ([0-9.e+]+)$", re.MULTILINE)
"""Values of the metrics that add up to the requests which an engine runs or queues."""


class EngineClient:
    """An engine of ours, or with `ours` False somebody else's API, which knows no versions or priorities.

    `url` is the base without /v1.
    """

    def __init__(self, url: str, model: str, key: str = "", *, ours: bool = True, connections: int = 16) -> None:
        self._model = model
        self._ours = ours
        headers = {"authorization": f"Bearer {key}"} if key else {}
        limits = httpx.Limits(max_connections=connections)
        self._http = httpx.AsyncClient(base_url=url, headers=headers, limits=limits, trust_env=False)

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
        body = {"model": self._model, "messages": messages, "max_tokens": max_tokens, "temperature": 0, **sampling}
        headers = {"x-request-id": random_id()}
        if self._ours:
            body["priority"] = priority
            headers["x-understudy-version"] = version
        began = time.monotonic()
        answer = await self._post("/v1/chat/completions", body, headers, deadline)
        choice, usage = answer["choices"][0], answer.get("usage") or {}
        return Reply(
            text=choice["message"].get("content") or "",
            version=version,
            finish_reason=choice.get("finish_reason") or "",
            prompt_tokens=int(usage.get("prompt_tokens", 0)),
            completion_tokens=int(usage.get("completion_tokens", 0)),
            seconds=time.monotonic() - began,
        )

    async def running(self) -> int:
        """Requests that the engine runs or queues now; 0 of an engine that does not say.

        Raises:
            Unavailable: engine away.
        """
        if not self._ours:
            return 0
        try:
            response = await self._http.get("/metrics", timeout=5.0)
        except httpx.HTTPError as error:
            raise Unavailable(f"the engine at {self._http.base_url} does not answer: {error}") from None
        return round(sum(float(number) for number in LOAD.findall(response.text)))

    async def _post(self, path: str, body: Any, headers: dict[str, str], deadline: float) -> dict[str, Any]:
        try:
            async with asyncio.timeout(deadline):
                response = await self._http.post(path, json=body, headers=headers, timeout=deadline)
        except TimeoutError:
            raise Unavailable(f"no answer within {deadline:g} s", code="deadline") from None
        except httpx.HTTPError as error:
            raise Unavailable(f"the engine at {self._http.base_url} does not answer: {error}") from None
        if response.status_code == 200:
            found: dict[str, Any] = response.json()
            return found
        raise _error(response)


def _error(response: httpx.Response) -> Exception:
    try:
        text = str(response.json()["error"]["message"])
    except (ValueError, KeyError, TypeError):
        text = response.text[:200]
    message = f"the engine answered {response.status_code}: {text}"
    if response.status_code == 409:
        return Conflict(message, code="version_mismatch")
    if response.status_code in (400, 404, 413, 422):
        return BadRequest(message)
    return Unavailable(message)
