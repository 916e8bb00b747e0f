"""The agent's side of an engine's control routes. Every call has a deadline; errors say what happened."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from understudy.errors import IntegrityError, Unavailable

SHORT = 5.0
"""Seconds for anything but a load or a probe."""


class EngineAway(Unavailable):
    """The engine does not answer."""

    code = "engine_away"


class LoadRefused(IntegrityError):
    """The engine did not take the version; `damaged` says whether it must be restarted."""

    code = "load_refused"

    def __init__(self, message: str, *, damaged: bool) -> None:
        super().__init__(message)
        self.damaged = damaged


@dataclass(frozen=True, slots=True)
class EngineState:
    """What the engine says of itself; `started` is the version of its start, `version` the one it holds."""

    version: str | None
    started: str | None
    open: bool
    loading: bool
    in_flight: int


class EngineControl:
    """Control of the engine at `url` (no /v1) with the agents' key."""

    def __init__(self, url: str, key: str, model: str) -> None:
        self._model = model
        self._http = httpx.AsyncClient(
            base_url=url, timeout=SHORT, trust_env=False, headers={"authorization": f"Bearer {key}"}
        )

    async def aclose(self) -> None:
        """Close connections."""
        await self._http.aclose()

    async def healthy(self) -> bool:
        """Whether the API server and the engine core behind it live."""
        try:
            return (await self._http.get("/health")).status_code == 200
        except httpx.HTTPError:
            return False

    async def state(self, deadline: float = SHORT) -> EngineState:
        """What is loaded, whether it is open, and how many requests run.

        Raises:
            EngineAway: no answer, or not from an engine of ours.
        """
        response = await self._ask("GET", "/understudy/state", None, deadline)
        with _read():
            found = response.json()
            return EngineState(**{name: found[name] for name in EngineState.__dataclass_fields__})

    async def close(self) -> None:
        """Refuse new requests from now on."""
        await self._ask("POST", "/understudy/close", {})

    async def open(self, version: str) -> None:
        """Take requests for `version`, which must be loaded."""
        await self._ask("POST", "/understudy/open", {"version": version})

    async def load(self, path: str, version: str, deadline: float) -> tuple[float, int]:
        """Load the folder `path` in place; returns seconds, and the worker's resident bytes.

        Raises:
            LoadRefused: the weights were refused or may be damaged.
            EngineAway: no answer within `deadline` seconds.
        """
        response = await self._send("POST", "/understudy/load", {"path": path, "version": version}, deadline)
        if response.status_code != 200:
            raise LoadRefused(_message(response), damaged=response.status_code >= 500)
        with _read():
            workers = response.json()["workers"]
            return max(w["seconds"] for w in workers), sum(w["bytes"] for w in workers)

    async def prompt_logprobs(self, prompt: Sequence[int], deadline: float) -> list[float]:
        """Log-probabilities (nats) of the prompt's own tokens at positions 1..n-1."""
        body = {
            "model": self._model, "prompt": list(prompt), "max_tokens": 1, "temperature": 0, "prompt_logprobs": 0,
        }  # fmt: skip
        response = await self._ask("POST", "/v1/completions", body, deadline)
        with _read():
            rows = response.json()["choices"][0]["prompt_logprobs"][1:]
            return [float(row[str(token)]["logprob"]) for row, token in zip(rows, prompt[1:], strict=True)]

    async def _ask(self, method: str, path: str, body: Any = None, deadline: float = SHORT) -> httpx.Response:
        response = await self._send(method, path, body, deadline)
        if response.status_code != 200:
            raise EngineAway(f"the engine answered {path} with {response.status_code}: {_message(response)}")
        return response

    async def _send(self, method: str, path: str, body: Any, deadline: float) -> httpx.Response:
        try:
            return await self._http.request(method, path, json=body, timeout=deadline)
        except httpx.HTTPError as error:
            raise EngineAway(f"the engine does not answer {path}: {type(error).__name__} {error}") from None


@contextlib.contextmanager
def _read() -> Iterator[None]:
    """What is not as an engine of ours would say it counts as no answer."""
    try:
        yield
    except (ValueError, LookupError, TypeError) as error:
        raise EngineAway(f"the answer is no engine's of ours: {error!r}") from None


def _message(response: httpx.Response) -> str:
    try:
        return str(response.json()["error"]["message"])
    except (ValueError, KeyError, TypeError):
        return response.text[:200]
