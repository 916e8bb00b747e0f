"""What it costs that the embedded Redis syncs before it answers, beside once a second."""

from __future__ import annotations

import statistics
import time
from pathlib import Path

import redis

from feedback.bus.config import BusConfig
from feedback.bus.opening import open_bus
from feedback.bus.protocol import Numbered
from feedback.events import KPIS
from feedback.store.config import RedisConfig
from feedback.store.server import RedisServer

BATCHES, BATCH, BYTES = 300, 20, 700


def sync_cost(folder: Path) -> dict[str, dict[str, float]]:
    """For each policy of `appendfsync`: events/s, and milliseconds of one batch of 20 events of 700 bytes."""
    server = RedisServer(folder)
    server.start()
    try:
        found = {}
        for policy in ("always", "everysec"):
            redis.Redis.from_url(server.url).config_set("appendfsync", policy)
            found[policy] = _measured(server.url, policy)
        return found
    finally:
        server.stop()


def _measured(url: str, spool: str) -> dict[str, float]:
    bus = open_bus(BusConfig(url=url), RedisConfig())
    took = []
    for batch in range(BATCHES):
        events = [Numbered(batch * BATCH + n, "s", b"x" * BYTES) for n in range(1, BATCH + 1)]
        began = time.monotonic()
        bus.publish(KPIS, 0, spool, events)
        took.append(time.monotonic() - began)
    bus.close()
    cuts = statistics.quantiles(took, n=100)
    return {"per_second": BATCHES * BATCH / sum(took), "p50_ms": cuts[49] * 1000, "p99_ms": cuts[98] * 1000}
