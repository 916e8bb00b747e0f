"""`understudy worker`: joins the feedback worker to the routing document and to the engines."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import os
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from ab.switches import answers
from deploy.engines.client import EngineClient
from deploy.engines.external import as_configured, static_document
from deploy.engines.keys import engine_key
from deploy.engines.metered import MeteredEngine
from deploy.engines.splitting.tokens import splitter_of
from deploy.engines.tokens import CONTROL_TOKENS, split_for
from deploy.routing.document import EXTERNAL, RouterConfig, RoutingDocument, ShadowRates, SlotView
from deploy.routing.documents import RoutingDocuments
from deploy.routing.stores import open_routing
from feedback.bus.config import BusConfig
from feedback.bus.health import bus_findings
from feedback.bus.opening import open_bus
from feedback.consume.loops import Worker, WorkerConfig
from feedback.consume.metrics import show_worker
from feedback.flagged.config import FlaggedConfig
from feedback.kpis.config import KpisConfig
from feedback.outbox.config import OutboxConfig
from feedback.outbox.metrics import show_outbox
from feedback.outbox.outbox import Outbox
from feedback.pool.config import PoolConfig
from feedback.shadow.config import ShadowConfig
from feedback.shadow.pairing import Arms, Target, Valued
from feedback.store.config import RedisConfig
from feedback.store.connection import connect, find_redis
from feedback.store.keys import RedisKeys
from feedback.store.spending import Spending
from serving.engine.config import EnginesConfig
from serving.gateway.body.copies import SplitEngine
from serving.gateway.config import GatewayConfig
from understudy import logs
from understudy.config import Config, load_config, without_password
from understudy.errors import Conflict
from understudy.state import DEFAULT_STATE, StateDir
from understudy.telemetry.config import TelemetryConfig
from understudy.telemetry.metrics import MetricsPage
from understudy.telemetry.server import shown

log = logging.getLogger("understudy.worker")

POLL = 0.5
"""Seconds between two looks at the routing document, or for a Redis that is not known yet."""
NAMES = 64
"""Workers that may share one state directory."""


class EngineDirectory:
    """`feedback.shadow.pairing.Directory` over the routing document: one reference, swapped whole."""

    def __init__(
        self, documents: RoutingDocuments, engines: EnginesConfig, router: RouterConfig, key: str,
        spending: Spending | None = None, tokens: tuple[str, ...] = CONTROL_TOKENS,
        shadow: ShadowRates | None = None,
    ) -> None:  # fmt: skip
        """`tokens`: control tokens as configured, of engines that do not tell theirs.

        `shadow`: the configured shares, which hold until a document says others.
        """
        self._spending = spending
        self._documents = documents
        self._external = engines.external
        self._static = static_document(self._external, router, shadow) if engines.teacher or engines.student else None
        self._key = key
        self._tokens = tokens
        self._clients: dict[tuple[str, str, str], EngineClient] = {}
        self._arms: Arms | None = None
        self._epoch = -1

    def arms(self) -> Arms | None:
        """The latest view."""
        return self._arms

    async def follow(self) -> None:
        """Poll until cancelled; the last view stays while the store is away."""
        while True:
            await self.refresh()
            await asyncio.sleep(POLL)

    async def refresh(self) -> None:
        """Look once."""
        try:
            self._look(await asyncio.to_thread(self._documents.read))
        except OSError as error:
            log.warning("cannot read the routing document, going on with the last one: %s", error)
        except Exception:  # whatever it is: the next document may be right
            log.exception("cannot follow the routing document, going on with the last one")

    async def close(self) -> None:
        """Close the connections to engines."""
        for client in self._clients.values():
            await client.aclose()

    def _look(self, document: RoutingDocument | None) -> None:
        document = document or self._static
        if document is not None and document.epoch >= self._epoch:
            self._epoch = document.epoch
            self._arms = self._view(as_configured(document, self._external))

    def _view(self, document: RoutingDocument) -> Arms:
        slots = {name: slot for name, slot in document.slots.items() if slot.serves}
        teacher = slots.get("teacher")
        students = {slot.version: slot for name, slot in slots.items() if name != "teacher" and slot.version}
        return Arms(
            teacher=self._metered(self._target(teacher)) if teacher else None,
            students={version: self._target(slot) for version, slot in students.items()},
            stable=document.stable or document.unfit,
            candidate=document.candidate,
            step=document.candidate_step,
            to_student=document.shadow.to_student,
            to_teacher=document.shadow.to_teacher,
            experiments={e.id: e.shadow.rate for e in document.experiments},
            coalitions={
                e.id: Valued(e.shadow.coalitions, answers(e.switches))
                for e in document.experiments
                if e.shadow.coalitions
            },
        )

    def _metered(self, target: Target) -> Target:
        """A teacher of somebody else, whose tokens are counted."""
        if target.version != EXTERNAL or self._spending is None:
            return target
        return Target(target.version, MeteredEngine(target.engine, self._spending))

    def _target(self, slot: SlotView) -> Target:
        version = slot.version or ""
        ours = version != EXTERNAL
        key = self._key if ours else slot.api_key
        place = (slot.url, slot.model, key)
        if place not in self._clients:
            self._clients[place] = EngineClient(*place, ours=ours)
        splitter = splitter_of(split_for(slot.control_tokens, self._tokens))
        return Target(version, SplitEngine(self._clients[place], splitter))


def main(argv: list[str]) -> int:
    """Entry point; runs until SIGTERM or SIGINT."""
    options = parser().parse_args(argv)
    logs.set_up()
    config = load_config(options.config)
    settings = WorkerConfig(
        shadow=config.section(ShadowConfig),
        pool=config.section(PoolConfig),
        kpis=config.section(KpisConfig),
        flagged=config.section(FlaggedConfig),
        prefix=config.section(RedisConfig).prefix,
    )
    asyncio.run(run(config, settings, StateDir(options.state)))
    return 0


def parser() -> argparse.ArgumentParser:
    """Options of the command."""
    made = argparse.ArgumentParser(
        prog="understudy worker",
        description="Compare: consume exchanges, ask the other arm, check, fill the pool, add up KPIs.",
        epilog="example: understudy worker --state .understudy",
    )
    made.add_argument("--config", type=Path, help="the YAML file (default: built-in defaults)")
    made.add_argument("--state", type=Path, default=DEFAULT_STATE, help="state directory (default: .understudy)")
    made.add_argument("--json", action="store_true", help="accepted for symmetry with other commands")
    return made


async def run(config: Config, settings: WorkerConfig, state: StateDir) -> None:
    """Wait until Redis is known, then work until told to stop."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    redis = await known_redis(config, state, stop)
    if redis is None:
        return
    bus = open_bus(config.section(BusConfig), redis)
    event_bytes = config.section(OutboxConfig).event_bytes
    outbox = open_outbox(state, lambda name: Outbox(state.spool, name, bus, config.section(OutboxConfig)))
    settings = replace(settings, rows=state.rows)
    documents = open_routing(state, redis.url, redis.prefix).documents
    client, engines = connect(redis.url), config.section(EnginesConfig)
    cap = engines.teacher.daily_tokens if engines.teacher else None
    spending = Spending(client, RedisKeys(redis.prefix), cap)
    tokens = config.section(GatewayConfig).control_tokens
    rates = ShadowRates(to_student=settings.shadow.to_student, to_teacher=settings.shadow.to_teacher)
    router = config.section(RouterConfig)
    directory = EngineDirectory(documents, engines, router, engine_key(state), spending, tokens, rates)
    worker = Worker(bus, client, outbox, directory, settings)
    outbox.start()
    for finding in await asyncio.to_thread(bus_findings, config.section(BusConfig), redis, event_bytes):
        log.warning("%s", finding)
    await directory.refresh()
    following = asyncio.create_task(directory.follow())
    log.info("the worker runs on %s", without_password(redis.url))
    try:
        with shown(page_of(outbox, worker), outbox.name, state, config.section(TelemetryConfig)):
            await worker.run(stop)
    finally:
        following.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await following
        await directory.close()
        await asyncio.to_thread(outbox.close, 1.0)
        bus.close()


def page_of(outbox: Outbox, worker: Worker) -> MetricsPage:
    """Everything that a worker tells of itself."""
    page = MetricsPage("worker")
    show_outbox(page, outbox.stats)
    show_worker(page, worker)
    return page


async def known_redis(config: Config, state: StateDir, stop: asyncio.Event) -> RedisConfig | None:
    """Where Redis is, as soon as somebody says so; None when told to stop before."""
    said = False
    while not stop.is_set():
        redis = find_redis(config, state)
        if redis.url:
            return redis
        if not said:
            log.warning("no Redis is known: set `redis.url`, or start `understudy up` on %s; waiting", state.root)
            said = True
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), POLL)
    return None


def open_outbox(state: StateDir, make: Callable[[str], Outbox]) -> Outbox:
    """The first spool that no other worker holds: worker, worker-2, ...

    Raises:
        Conflict: all are held.
    """
    for number in range(1, NAMES + 1):
        with contextlib.suppress(Conflict):
            return make("worker" if number == 1 else f"worker-{number}")
    raise Conflict(f"{NAMES} workers hold a spool in {state.spool} already (process {os.getpid()})")
