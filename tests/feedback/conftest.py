"""An outbox and a worker on one Redis, with scripted engines."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from feedback.bus.config import BusConfig
from feedback.bus.opening import open_bus
from feedback.checks.building import build
from feedback.checks.kinds import Check
from feedback.consume.loops import Worker, WorkerConfig
from feedback.events import VERDICTS, Verdict
from feedback.kpis.config import KpisConfig
from feedback.kpis.store import KpiStore
from feedback.outbox.config import OutboxConfig
from feedback.outbox.outbox import Outbox
from feedback.pool.store import Pool
from feedback.shadow.config import ShadowConfig
from feedback.shadow.stats import Stats
from feedback.store.config import RedisConfig
from feedback.store.connection import connect
from tests.feedback.child import BUSES
from tests.feedback.factory import Directory
from tests.waiting import eventually_async


class World:
    """An outbox and a worker on one Redis."""

    def __init__(self, url: str, folder: Path) -> None:
        self.bus = open_bus(BusConfig(url=url), RedisConfig())
        self.client = connect(url)
        self.gateway = Outbox(folder, "gateway", self.bus, OutboxConfig())
        self.outbox = Outbox(folder, "worker", self.bus, OutboxConfig())
        self.directory = Directory()
        self.kpis = KpiStore(self.client)
        self.pool = Pool(self.client, vault=self.gateway.vault)
        self.stats = Stats(self.client)
        self.config = KpisConfig()
        self.checks: tuple[Check, ...] = build(ShadowConfig())
        self.gateway.start()
        self.outbox.start()

    async def work(self, until: Callable[[], bool], shadow: ShadowConfig | None = None, limit: float = 60) -> None:
        """Run a worker until the condition holds; fails after `limit` seconds."""
        given = shadow or ShadowConfig()
        if "deadline" not in given.model_fields_set:  # on a busy machine no copy is dropped for its time
            given = given.model_copy(update={"deadline": 600.0})
        config = WorkerConfig(shadow=given, kpis=self.config, rows=self.rows)
        worker = Worker(self.bus, connect(self.bus_url), self.outbox, self.directory, config, self.checks)
        stop = asyncio.Event()
        task = asyncio.create_task(worker.run(stop))
        try:
            await eventually_async(until, limit)
        finally:
            stop.set()
            await task

    def verdicts(self) -> list[Verdict]:
        """All that are on the bus."""
        rows = [e for p in range(self.bus.partitions) for e in self.bus.read(VERDICTS, p, "", 99)]
        return [self.gateway.vault.open(Verdict, e.value) for e in rows]

    bus_url = ""
    rows: Path | None = None


@pytest.fixture(autouse=True)
def _no_bus_is_left() -> Iterator[None]:
    """A bus of a consumer ends with the test: a client of Kafka would go on asking."""
    yield
    while BUSES:
        BUSES.pop().close()


@pytest.fixture
def world(redis_url: str, tmp_path: Path) -> Iterator[World]:
    made = World(redis_url, tmp_path)
    made.bus_url = redis_url
    yield made
    made.gateway.close()
    made.outbox.close()
