"""The metrics of an outbox, on the page of whichever role has one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from understudy.telemetry.metrics import Metric, MetricsPage

QUEUED = Metric("understudy_outbox_queued_events", "gauge", "Events in memory that are not stored yet.", across="sum")
STORED = Metric("understudy_outbox_stored_total", "counter", "Events that were put into the spool.")
PUBLISHED = Metric("understudy_outbox_published_total", "counter", "Events that the bus took.")
PENDING = Metric("understudy_outbox_pending_events", "gauge", "Events in the spool that the bus has not taken.",
                 across="sum")  # fmt: skip
LOST = Metric("understudy_outbox_lost_total", "counter", "Events that left the spool without reaching the bus.")
DEAD = Metric("understudy_outbox_dead_total", "counter", "Events that the bus refused and that became dead letters.")
DROPPED = Metric("understudy_outbox_dropped_total", "counter", "Events that were dropped before the spool had them.",
                 ("reason",))  # fmt: skip
OLDEST = Metric("understudy_outbox_oldest_seconds", "gauge", "How long the oldest event in the spool has waited.")
SPOOL = Metric("understudy_outbox_spool_bytes", "gauge", "Size of the spool.", across="sum")
BUS_UP = Metric("understudy_outbox_bus_up", "gauge", "1 while the bus takes events.", across="min")
ALIVE = Metric(
    "understudy_outbox_alive", "gauge", "1 while both threads of the outbox run, and its process.", across="min"
)
COMMIT = Metric("understudy_outbox_commit_seconds", "gauge", "Seconds from an event's arrival to the disk, over the"
                " latest thousand.", ("at",))  # fmt: skip
PLAIN = {
    QUEUED: "queued", STORED: "stored", PUBLISHED: "published", PENDING: "pending", LOST: "lost", DEAD: "dead",
    OLDEST: "oldest_seconds", SPOOL: "spool_bytes", BUS_UP: "bus_up", ALIVE: "alive",
}  # fmt: skip
"""Metrics by what `Outbox.stats` calls them."""
QUANTILES = {"0.5": "commit_p50_seconds", "0.99": "commit_p99_seconds", "1": "commit_max_seconds"}
METRICS = (*PLAIN, DROPPED, COMMIT)


def show_outbox(page: MetricsPage, stats: Callable[[], dict[str, Any]]) -> None:
    """Put an outbox's metrics on a page; `stats` is asked once for each reading of it."""
    told: dict[str, Any] = {}

    def look() -> None:
        told.clear()
        told.update(stats())

    page.before(look)
    for metric, name in PLAIN.items():
        page.value(metric, lambda name=name: float(told[name]))  # type: ignore[misc]
    page.add(DROPPED, lambda: told["dropped"].items())
    page.add(COMMIT, lambda: [(quantile, told[name]) for quantile, name in QUANTILES.items()])
