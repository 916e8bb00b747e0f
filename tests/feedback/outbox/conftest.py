"""Outboxes over a bus of their own, and what reached it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from feedback.bus.config import BusConfig
from feedback.bus.opening import open_bus
from feedback.bus.protocol import Bus
from feedback.events import EXCHANGES, Exchange
from feedback.outbox.config import OutboxConfig
from feedback.outbox.outbox import Outbox
from feedback.privacy.vault import Vault
from feedback.store.config import RedisConfig
from feedback.store.server import free_port
from understudy.clock import Clock, monotonic

Make = Callable[..., Outbox]
_vaults: list[Vault] = []
"""Of the outboxes made so far; the last one opens what is read."""


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    made: list[Outbox] = []
    buses: list[Bus] = []

    def build(
        url: str, assemble: Any = None, name: str = "gateway", start: bool = True, replicas: int = 0,
        clock: Clock = monotonic, **config: Any,
    ) -> Outbox:  # fmt: skip
        buses.append(bus_at(url, replicas))
        outbox = Outbox(tmp_path, name, buses[-1], OutboxConfig(**config), assemble, clock)
        _vaults.append(outbox.vault)
        if start:
            outbox.start()
            made.append(outbox)
        return outbox

    yield build
    for outbox in made:
        outbox.close(0.2)
        outbox._producer._thread.join(60)
    for bus in buses:
        bus.close()


def bus_at(url: str, replicas: int = 0) -> Bus:
    return open_bus(BusConfig(url=url, replicas=replicas), RedisConfig())


def nowhere() -> str:
    return f"redis://127.0.0.1:{free_port()}/0"


def read(url: str, topic: str = EXCHANGES) -> list[Exchange]:
    with closing(bus_at(url)) as bus:
        return [_vaults[-1].open(Exchange, e.value) for p in range(2) for e in bus.read(topic, p, "", 999)]
