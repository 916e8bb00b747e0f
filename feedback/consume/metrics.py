"""The metrics of a worker by itself; what all workers have done together is on the control plane's page."""

from __future__ import annotations

from feedback.consume.loops import Worker
from understudy.telemetry.metrics import Metric, MetricsPage

EVENTS = Metric("understudy_worker_events_total", "counter", "Events whose effects this worker has stored.", ("topic",))
PARTITIONS = Metric("understudy_worker_partitions", "gauge", "Partitions of the bus that this worker reads.")
PAIRS = Metric("understudy_worker_pairs_total", "counter", "Shadow copies that this worker has asked and judged.")
METRICS = (EVENTS, PARTITIONS, PAIRS)


def show_worker(page: MetricsPage, worker: Worker) -> None:
    """Put a worker's metrics on a page."""
    page.add(EVENTS, worker.consumer.meter.total.items)
    page.value(PARTITIONS, lambda: len(worker.consumer.owned))
    page.value(PAIRS, lambda: worker.shadow.pairs)
