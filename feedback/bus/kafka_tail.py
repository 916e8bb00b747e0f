"""What the end of a partition's log holds of a spool, read anew after its leader changed."""

from __future__ import annotations

import time
from typing import Any

from kafka import KafkaConsumer, TopicPartition

from feedback.bus.kafka_cluster import CONNECT_MS

TAIL = 2000
"""Records looked at."""
SECONDS = 10.0


def highest_of(servers: list[str], access: dict[str, Any], place: tuple[str, int], spool: str) -> int:
    """The highest number of `spool` in the last records of a partition; 0 where there is none."""
    consumer = KafkaConsumer(
        bootstrap_servers=servers, group_id=None, enable_auto_commit=False, auto_offset_reset="earliest",
        request_timeout_ms=CONNECT_MS, bootstrap_timeout_ms=CONNECT_MS, **access,
    )  # fmt: skip
    here = TopicPartition(*place)
    try:
        consumer.assign([here])
        end = int(consumer.end_offsets([here])[here])
        begin = max(int(consumer.beginning_offsets([here])[here]), end - TAIL)
        if begin >= end:
            return 0
        consumer.seek(here, begin)
        return _highest(consumer, here, end, spool)
    finally:
        consumer.close(timeout_ms=1000)


def _highest(consumer: KafkaConsumer, here: TopicPartition, end: int, spool: str) -> int:
    highest, until = 0, time.monotonic() + SECONDS
    while int(consumer.position(here)) < end:
        if time.monotonic() > until:
            raise TimeoutError(f"the end of {here.topic}:{here.partition} cannot be read")
        for record in consumer.poll(timeout_ms=200).get(here, ()):
            head = dict(record.headers or ())
            if head.get("s", b"").decode() == spool:
                highest = max(highest, int(head.get("n", b"0")))
    return highest
