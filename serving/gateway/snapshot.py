"""The gateway's view of the routing document: one reference, swapped whole, never to a lower epoch."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from deploy.engines.external import as_configured
from deploy.engines.keys import known_engine_key
from deploy.routing.document import BreakerBeat, RoutingDocument
from deploy.routing.stores import Routing
from serving.engine.config import EnginesConfig
from understudy.state import StateDir

log = logging.getLogger("understudy.gateway")

BEAT_SECONDS = 1.0


class Snapshot:
    """Holds the current document and the key of the engines; the request path only reads attributes."""

    def __init__(self, document: RoutingDocument | None = None) -> None:
        self.document = document or RoutingDocument()
        self.known = document is not None
        """Whether any document has been seen."""
        self.engine_key = ""

    def offer(self, document: RoutingDocument | None) -> bool:
        """Take `document` unless its epoch is below the highest seen; whether it was taken."""
        if document is None or (self.known and document.epoch < self.document.epoch):
            return False
        if self.known and document.epoch == self.document.epoch and document == self.document:
            return False
        self.document, self.known = document, True
        return True


class Follower:
    """Keeps a snapshot in step with the routing document, from a thread of its own, and says so by beats."""

    def __init__(
        self, snapshot: Snapshot, routing: Routing, state: StateDir | None, url: str,
        poll_seconds: float, engines: EnginesConfig, identity: str,
    ) -> None:  # fmt: skip
        self._snapshot = snapshot
        self._routing = routing
        self._state = state
        self._url = url
        self._poll = poll_seconds
        self._external = engines.external
        self._id = identity
        self._thread = ThreadPoolExecutor(1, "routing")
        self._beaten = (-1, 0.0)
        self.breakers: Callable[[], BreakerBeat] = BreakerBeat
        """How the gateway's breakers stand; called by the event loop before each beat."""

    async def refresh(self) -> bool:
        """Read the document now; whether a newer one was taken."""
        document = await self._call(self._routing.documents.read)
        if document is not None:
            document = as_configured(document, self._external)
        return self._snapshot.offer(document)

    async def run(self) -> None:
        """Poll until cancelled; a store that fails leaves the last document in force."""
        loop = asyncio.get_running_loop()
        while True:
            try:
                await self._step(loop.time())
            except OSError as error:
                log.warning("cannot read the routing document, serving on the last one: %s", error)
            except Exception:  # whatever it is: the next document may be right
                log.exception("cannot follow the routing document, serving on the last one")
            await asyncio.sleep(self._poll)

    async def _step(self, now: float) -> None:
        if self._state is not None:
            self._snapshot.engine_key = await self._call(known_engine_key, self._state.engine_key)
        await self.refresh()
        epoch = self._snapshot.document.epoch
        if epoch != self._beaten[0] or now - self._beaten[1] >= BEAT_SECONDS:
            await self._call(self._routing.beats.report_gateway, self._id, epoch, self._url, self.breakers())
            self._beaten = (epoch, now)

    async def _call(self, function: Callable[..., Any], *args: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._thread, function, *args)

    async def stop(self) -> None:
        """Say goodbye, so that nobody waits for this gateway."""
        try:
            await asyncio.wait_for(self._call(self._routing.beats.forget_gateway, self._id), 1.0)
        except (OSError, TimeoutError) as error:
            log.warning("could not sign off: %s", error)
        self._thread.shutdown(wait=False, cancel_futures=True)
