"""Whether the engines behind the arms answer: asked when somebody wants to know, and remembered for a moment.

A routing document tells what was true when it was written; an engine of somebody else has no agent that would say more.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from ab.experiment import Arm
from deploy.engines.names import MODELS
from deploy.routing.document import EXTERNAL, RoutingDocument, SlotView
from serving.gateway.http.upstream import Connection
from serving.gateway.http.wire import Headers
from serving.gateway.pool.endpoint import Endpoint
from serving.gateway.pool.upstreams import Upstreams
from understudy.clock import Clock

FRESH = 5.0
"""Seconds for which an answer, to a client's request or to ours, proves that an engine answers."""
AGAIN = 1.0
"""Seconds after which an engine that did not answer is asked again."""
DEADLINE = 2.0
"""Seconds for an engine to answer."""
NO_STUDENT = "there is no student yet"
NOT_FIT = "is not fit yet: it learns and answers nobody"
REFUSING = {401: "it refuses our key (401)", 403: "it refuses our key (403)"}


@dataclass(frozen=True, slots=True)
class ArmAnswer:
    """What came of asking; `fault` is empty where the engine answers."""

    at: float
    fault: str


class Answering:
    """Asks engines for their list of models, on the connections that requests use."""

    def __init__(self, upstreams: Upstreams, clock: Clock) -> None:
        self._upstreams = upstreams
        self._clock = clock
        self._known: dict[tuple[str, str], ArmAnswer] = {}
        self._asking = asyncio.Lock()

    async def faults(self, document: RoutingDocument, engine_key: str) -> dict[Arm, str]:
        """By arm what is wrong with it; empty where it answers."""
        arms: tuple[tuple[Arm, str | None], ...] = (("teacher", document.teacher), ("student", document.stable))
        slots = {arm: document.slot_of(version, arm) for arm, version in arms}
        async with self._asking:
            found = await asyncio.gather(*(self._fault(slot, engine_key) for slot in slots.values()))
        if document.stable is None:
            found[1] = NO_STUDENT if document.unfit is None else f"{document.unfit} {NOT_FIT}"
        self._known = {place: known for place, known in self._known.items() if self._clock() - known.at < FRESH}
        return dict(zip(slots, found, strict=True))

    async def _fault(self, slot: SlotView | None, engine_key: str) -> str:
        if slot is None:
            return "no slot has its version ready"
        endpoints = self._upstreams.group(slot.url)
        key = slot.api_key if slot.version == EXTERNAL else engine_key
        faults = await asyncio.gather(*(self._fault_at(endpoint, key) for endpoint in endpoints))
        return "" if "" in faults else faults[0]

    async def _fault_at(self, endpoint: Endpoint, key: str) -> str:
        if endpoint.open:
            return "its last requests failed"
        if self._clock() - endpoint.answered_at < FRESH:
            return ""
        place = (f"{endpoint.address.host}:{endpoint.address.port}{endpoint.address.target(b'').decode()}", key)
        known = self._known.get(place)
        if known is None or self._clock() - known.at >= (AGAIN if known.fault else FRESH):
            known = self._known[place] = ArmAnswer(self._clock(), await asked(endpoint, key))
        return known.fault


async def asked(endpoint: Endpoint, key: str) -> str:
    """What is wrong with the engine at `endpoint`; empty where it answers, be it that it has no list of models."""
    probe = _StatusSink()
    connection: Connection | None = None
    try:
        async with asyncio.timeout(DEADLINE):
            connection = await endpoint.connect(DEADLINE)
            connection.start(probe, _head(endpoint, key))
            status = await probe.status
    except TimeoutError:
        if connection is not None:
            connection.abort()
        return f"it did not answer within {DEADLINE:g} s"
    except OSError as error:
        return f"it cannot be reached: {error or type(error).__name__}"
    except Exception as error:  # whatever an engine may send instead of HTTP
        return f"its answer is not HTTP: {error!r}"
    if status >= 500:
        return f"it answers {status}"
    return REFUSING.get(status, "")


def _head(endpoint: Endpoint, key: str) -> bytes:
    address = endpoint.address
    bearer = b"authorization: Bearer " + key.encode() + b"\r\n" if key else b""
    line = b"GET " + address.target(MODELS.encode()) + b" HTTP/1.1\r\nhost: " + address.host_header
    return line + b"\r\naccept: application/json\r\n" + bearer + b"\r\n"


class _StatusSink:
    """A sink that keeps the status alone."""

    def __init__(self) -> None:
        self.status: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._seen = 0

    def on_head(self, status: int, headers: Headers) -> None:
        self._seen = status

    def on_body(self, data: bytes) -> None:
        """Of no interest."""

    def on_end(self) -> None:
        if not self.status.done():
            self.status.set_result(self._seen)

    def on_error(self, error: Exception) -> None:
        if not self.status.done():
            self.status.set_exception(error)
