"""The agent's side of an engine's control routes. Every call has a deadline; errors say what happened."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from deploy.engines.client import SHORT, EngineClient
from deploy.engines.names import CLOSE, HEALTH, LOAD, OPEN, STATE
from deploy.engines.queries import Query, own_logprobs, refusal, understood
from understudy.errors import BadRequest, Conflict, IntegrityError, Unavailable

T = TypeVar("T")


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
class EngineReport:
    """What the engine says of itself; `started` is the version of its start, `version` the one it holds."""

    version: str | None
    started: str | None
    open: bool
    loading: bool
    in_flight: int


class EngineControl:
    """Control of the engine at `url` with the agents' key."""

    def __init__(self, url: str, key: str, model: str) -> None:
        self._model = model
        self._engine = EngineClient(url, model, key)

    async def aclose(self) -> None:
        """Close connections."""
        await self._engine.aclose()

    async def healthy(self) -> bool:
        """Whether the API server and the engine core behind it live."""
        try:
            return (await self._engine.send(_HEALTH, SHORT)).status == 200
        except Unavailable:
            return False

    async def state(self, deadline: float = SHORT) -> EngineReport:
        """What is loaded, whether it is open, and how many requests run.

        Raises:
            EngineAway: no answer, or not from an engine of ours.
        """
        return await self._ask(_STATE, deadline)

    async def close(self) -> None:
        """Refuse new requests from now on."""
        await self._ask(_order(CLOSE, {}), SHORT)

    async def open(self, version: str) -> None:
        """Take requests for `version`, which must be loaded."""
        await self._ask(_order(OPEN, {"version": version}), SHORT)

    async def load(self, path: str, version: str, hashes: Mapping[str, str], deadline: float) -> tuple[float, int]:
        """Load the folder `path`, whose weights have the SHA-256 in `hashes`; returns seconds, and resident bytes.

        Raises:
            LoadRefused: the weights were refused or may be damaged.
            EngineAway: no answer within `deadline` seconds.
        """
        query = Query("POST", LOAD, _cost, {"path": path, "version": version, "hashes": dict(hashes)}, beside=True)
        with _away():
            answer = await self._engine.send(query, deadline)
            if answer.status != 200:
                raise LoadRefused(refusal(LOAD, answer).message, damaged=answer.status >= 500)
            return understood(query, answer)

    async def prompt_logprobs(self, prompt: Sequence[int], deadline: float) -> list[float]:
        """Log-probabilities (nats) of the prompt's own tokens at positions 1..n-1."""
        return await self._ask(own_logprobs(self._model, prompt), deadline)

    async def _ask(self, query: Query[T], deadline: float) -> T:
        with _away():
            return await self._engine.ask(query, deadline)


def _order(path: str, body: dict[str, str]) -> Query[None]:
    return Query("POST", path, lambda _: None, body, beside=True)


def _state(text: str) -> EngineReport:
    found = json.loads(text)
    return EngineReport(**{name: found[name] for name in EngineReport.__dataclass_fields__})


def _cost(text: str) -> tuple[float, int]:
    workers = json.loads(text)["workers"]
    return max(w["seconds"] for w in workers), sum(w["bytes"] for w in workers)


_HEALTH: Query[None] = Query("GET", HEALTH, lambda _: None, beside=True)
_STATE: Query[EngineReport] = Query("GET", STATE, _state, beside=True)


@contextlib.contextmanager
def _away() -> Iterator[None]:
    """Whatever an engine of ours would not say counts as no answer."""
    try:
        yield
    except (Conflict, BadRequest, Unavailable) as error:
        raise EngineAway(error.message) from None
