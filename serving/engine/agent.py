"""The agent of one slot: makes the version that its engine serves equal to the one the routing document wants."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import Counter
from pathlib import Path

from deploy.engines.fingerprint import Fingerprint, check, read_fingerprint
from deploy.engines.tokens import control_tokens
from deploy.registry.manifest import WEIGHTS, Manifest, check_files, weight_hashes
from deploy.registry.store import VersionStore
from deploy.routing.document import Heartbeat, RoutingDocument, SlotName
from deploy.routing.stores import Routing
from serving.engine import compat
from serving.engine.config import EnginesConfig, served_model
from serving.engine.control import EngineAway, LoadRefused
from serving.engine.inside.layout import reason_against
from serving.engine.launch.runner import EngineRunner
from serving.engine.slot import SlotEvent, State, after, decide
from understudy.clock import Clock, monotonic
from understudy.errors import IntegrityError, NotFound, UnderstudyError

log = logging.getLogger("understudy.agent")
TICK = 0.2
WATCH = 0.6
"""Seconds between two looks at the engine while it serves."""
BEAT = 1.0
MEMORY_EVERY = 10
"""Beats between two measurements of memory."""
STARTS = 3
"""Failed starts of a version in a row, after which it counts as bad."""
DEEDS = ("started", "loaded", "adopted", "failed")
"""An engine started with a version, a version loaded in place, an engine of a former agent taken over, one given up."""


class Agent:
    """Drives one `EngineRunner`; every decision is in `slot.decide`, every change of state in `slot.TABLE`."""

    def __init__(
        self,
        slot: SlotName,
        config: EnginesConfig,
        runner: EngineRunner,
        versions: VersionStore,
        routing: Routing,
        clock: Clock = monotonic,
    ) -> None:
        self.state = State.IDLE
        self.loaded: str | None = None
        self.bad: dict[str, str] = {}
        self.counts = Counter(dict.fromkeys(DEEDS, 0))
        """How often it did each of `DEEDS`."""
        self.facts: dict[str, float | int | None] = {}
        """Seconds of the last load, what the fingerprint differed by, resident bytes, process id."""
        self._slot: SlotName = slot
        self._config = config
        self._runner = runner
        self._versions = versions
        self._routing = routing
        self._clock = clock
        self._stop = asyncio.Event()
        self._document: RoutingDocument | None = None
        self._started: str | None = None
        self._last_good: str | None = None
        self._retry: dict[str, float] = {}
        self._failed_starts: dict[str, int] = {}
        self._failures = 0
        self._watched = 0.0
        self._said = ""
        self._control_tokens: tuple[str, ...] = ()

    def stop(self) -> None:
        """End `run` soon."""
        self._stop.set()

    async def run(self) -> None:
        """Work until `stop`; an engine, Redis or a version that fails does not end it."""
        beats = asyncio.create_task(self._beat_forever())
        try:
            await self._adopt()
            while not self._stop.is_set():
                await self._step()
                await self._pause(TICK)
        finally:
            beats.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await beats
            await self._runner.end()

    async def _step(self) -> None:
        await self._read()
        if self.state is State.SERVING and (trouble := await self._watch()):
            return await self._fail(trouble)
        want = decide(self._slot, self.state, self.loaded, self._document, self._last_good, self._blocked())
        if want.why and want.why != self._said:
            log.info("%s: %s", self._slot, want.why)
        self._said = want.why
        if want.version is None:
            return
        try:
            await (self._start if want.step == "start" else self._replace)(want.version)
        except (NotFound, IntegrityError, OSError) as error:
            self._mark_bad(want.version, str(error))
            if self.state is not State.SERVING:
                await self._fail(str(error))
        except UnderstudyError as error:
            if self.state is State.STARTING:
                self._count_start(want.version, error.message)
            await self._fail(error.message)

    async def _watch(self) -> str | None:
        """What is wrong with the engine, asked now and then."""
        if self._clock() - self._watched < WATCH:
            return None
        self._watched = self._clock()
        return await self._runner.trouble()

    async def _start(self, version: str) -> None:
        self._fire(SlotEvent.START)
        folder, fingerprint, manifest = await self._verified(version)
        began = self._clock()
        self.facts["pid"] = await self._runner.start(version, folder, weight_hashes(manifest))
        # Weights were compared as they were read; what else an engine reads at its start is compared once more.
        await asyncio.to_thread(check_files, folder, manifest, but=() if compat.unproven() else (WEIGHTS,))
        self.loaded = self._started = version
        self.facts["load_seconds"] = self._clock() - began
        self._fire(SlotEvent.HEALTHY)
        await self._confirm(version, fingerprint)
        self.counts["started"] += 1

    async def _replace(self, version: str) -> None:
        """Load `version` into the running engine, or restart the idle engine where that cannot be."""
        folder, fingerprint, manifest = await self._verified(version)
        obstacle = await self._obstacle(folder)
        self._fire(SlotEvent.REPLACE)
        control = self._runner.control
        await control.close()
        drained = await self._runner.drained(self._stop.is_set)
        await self._read()
        again = decide(self._slot, State.SERVING, self.loaded, self._document, None, self._blocked())
        if not drained or again.version != version:
            await control.open(self.loaded or "")
            return self._fire(SlotEvent.OVERDUE)
        if obstacle:
            log.info("%s: restarting for %s, since %s", self._slot, version, obstacle)
            return await self._restart()
        self._fire(SlotEvent.DRAINED)
        self.loaded = None
        try:
            hashes, deadline = weight_hashes(manifest), self._config.load_deadline
            seconds, _ = await control.load(str(folder.absolute()), version, hashes, deadline)
        except LoadRefused as error:
            self._mark_bad(version, error.message)
            return await self._restart()
        self.facts["load_seconds"] = seconds
        self._fire(SlotEvent.LOADED)
        self.loaded = version
        await self._confirm(version, fingerprint)
        self.counts["loaded"] += 1

    async def _obstacle(self, folder: Path) -> str | None:
        """Why the version in `folder` cannot be loaded in place; None: it can."""
        started = await self._folder(self._started)
        if started is None:
            return "its start is unknown"
        return compat.unproven() or await asyncio.to_thread(reason_against, started, folder)

    async def _confirm(self, version: str, fingerprint: Fingerprint) -> None:
        """Check the fingerprint, open the engine, and remember that the version is good."""
        control, deadline = self._runner.control, self._config.load_deadline
        found = await check(fingerprint, lambda prompt: control.prompt_logprobs(prompt, deadline))
        folder = await self._folder(version)
        self._control_tokens = () if folder is None else await asyncio.to_thread(control_tokens, folder)
        await control.open(version)
        self.facts["fingerprint"] = found
        self._last_good = version
        self.bad.pop(version, None)
        self._failures = 0
        self._failed_starts.clear()
        self._fire(SlotEvent.MATCHED)
        seconds = self.facts.get("load_seconds") or 0.0
        log.info("%s: serving %s, loaded in %.2f s, off by %.2g nats", self._slot, version, seconds, found)

    async def _adopt(self) -> None:
        """Take over the engine of an earlier agent when it serves what it says."""
        found = await self._runner.adopt()
        if found is None:
            return
        if found.version is None or found.loading:
            return await self._runner.stop()
        self._fire(SlotEvent.ADOPT)
        self.loaded, self._started = found.version, found.started
        process = await self._runner.process()
        self.facts["pid"] = process.pid if process else None
        try:
            _, fingerprint, _ = await self._verified(found.version)
            await self._confirm(found.version, fingerprint)
            self.counts["adopted"] += 1
            log.info("%s: adopted the running engine with %s", self._slot, found.version)
        except (UnderstudyError, OSError) as error:
            await self._fail(str(error))

    async def _restart(self) -> None:
        self._fire(SlotEvent.RESTART)
        self.loaded = None
        await self._runner.stop()
        self._fire(SlotEvent.STOPPED)

    async def _fail(self, why: str) -> None:
        """Take the engine out of service, end it, and wait longer after each failure in a row."""
        self._fire(SlotEvent.FAILED)
        self.loaded = None
        self.counts["failed"] += 1
        delay = min(self._config.backoff_first * 2**self._failures, self._config.backoff_max)
        self._failures = min(self._failures + 1, 16)
        log.error("%s: %s; trying again in %.1f s", self._slot, why, delay)
        await self._runner.stop()
        await self._pause(delay)
        self._fire(SlotEvent.ELAPSED)

    async def _verified(self, version: str) -> tuple[Path, Fingerprint, Manifest]:
        """Folder, fingerprint and manifest of a version whose signature and files were checked just now."""
        manifest = await asyncio.to_thread(self._versions.verify, version)
        folder = await asyncio.to_thread(self._versions.path, version)
        return folder, await asyncio.to_thread(read_fingerprint, folder), manifest

    async def _folder(self, version: str | None) -> Path | None:
        if version is not None:
            with contextlib.suppress(NotFound):
                return await asyncio.to_thread(self._versions.path, version)
        return None

    def _mark_bad(self, version: str, why: str) -> None:
        log.error("%s: %s cannot serve here: %s", self._slot, version, why)
        self.bad[version] = why
        self._retry[version] = self._clock() + self._config.bad_retry

    def _count_start(self, version: str, why: str) -> None:
        self._failed_starts[version] = self._failed_starts.get(version, 0) + 1
        if self._failed_starts[version] >= STARTS and self._last_good not in (None, version):
            self._mark_bad(version, why)

    def _blocked(self) -> dict[str, str]:
        return {v: why for v, why in self.bad.items() if self._clock() < self._retry.get(v, 0.0)}

    def _fire(self, event: SlotEvent) -> None:
        self.state = after(self.state, event)

    async def _read(self) -> None:
        try:
            self._document = await asyncio.to_thread(self._routing.documents.read) or self._document
        except (OSError, UnderstudyError) as error:
            log.warning("%s: keeping the last routing document: %s", self._slot, error)

    async def _pause(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stop.wait(), seconds)

    async def _beat_forever(self) -> None:
        count = 0
        while True:
            try:
                if self.loaded and count % MEMORY_EVERY == 0:
                    self.facts["memory_bytes"] = await self._runner.memory()
                count += 1
                await asyncio.to_thread(self._routing.beats.report_slot, await self._heartbeat())
            except (OSError, UnderstudyError) as error:
                log.warning("%s: no heartbeat: %s", self._slot, error)
            except Exception:  # whatever it is: without beats the controller takes a serving slot for dead
                log.exception("%s: no heartbeat", self._slot)
            await self._pause(BEAT)
            if self._stop.is_set():
                return

    async def _heartbeat(self) -> Heartbeat:
        in_flight = 0
        if self.loaded:
            with contextlib.suppress(EngineAway):
                in_flight = (await self._runner.control.state(BEAT)).in_flight
        serving = self.state is State.SERVING
        return Heartbeat.model_validate({
            "slot": self._slot, "url": self._config.url(self._slot), "model": served_model(self._slot),
            "state": self.state.value, "version": self.loaded if serving else None, "ready": serving,
            "control_tokens": self._control_tokens if serving else (), "in_flight": in_flight,
            "bad": dict(self.bad), **self.facts,
        })  # fmt: skip
