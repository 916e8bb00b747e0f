"""What the end of a partition's log holds of a spool, read anew after its leader changed.

Read in threads of their own, so that a partition whose end cannot be read holds up no other.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, wait
from typing import Any

from kafka import KafkaConsumer, TopicPartition

from feedback.bus.kafka_clients import made
from feedback.bus.kafka_cluster import CONNECT_MS
from feedback.bus.protocol import Place

log = logging.getLogger(__name__)

TAIL = 2000
"""Records looked at."""
SECONDS = 10.0
AT_ONCE = 8
"""Partitions read beside each other."""
PATIENCE = 1.0
"""Seconds for which who asks waits for ends that were not asked for before; most are read much sooner."""


class LogEnds:
    """Ends of logs, read by `read(place, spool)` for one thread that asks now and again."""

    def __init__(self, read: Callable[[Place, str], int]) -> None:
        self._read = read
        self._reads: dict[Place, tuple[str, Future[int]]] = {}

    def highest(self, spool: str, lives: Mapping[Place, str]) -> dict[Place, int]:
        """What the end of each place's log holds of `spool`, in the life given; without those not read yet, or in vain.

        What was given is forgotten; what could not be read is begun anew at the next call.
        """
        for place in [place for place, (life, _) in self._reads.items() if lives.get(place) != life]:
            del self._reads[place]
        free = AT_ONCE - sum(not future.done() for _, future in self._reads.values())
        begun = {
            place: self._begun(place, spool) for place in [p for p in lives if p not in self._reads][: max(0, free)]
        }
        self._reads |= {place: (lives[place], future) for place, future in begun.items()}
        wait(begun.values(), PATIENCE)
        over = {place: future for place, (_, future) in self._reads.items() if future.done()}
        for place in over:
            del self._reads[place]
        return {place: future.result() for place, future in over.items() if future.exception() is None}

    def _begun(self, place: Place, spool: str) -> Future[int]:
        future: Future[int] = Future()

        def run() -> None:
            try:
                future.set_result(self._read(place, spool))
            except Exception as error:
                log.warning("the end of %s:%d, which waits, cannot be read: %r", *place, error)
                future.set_exception(error)

        threading.Thread(target=run, name="kafka-tail", daemon=True).start()
        return future


def highest_of(servers: list[str], access: dict[str, Any], place: Place, spool: str) -> int:
    """The highest number of `spool` in the last records of a partition; 0 where there is none."""
    consumer = made(
        KafkaConsumer, bootstrap_servers=servers, group_id=None, enable_auto_commit=False, auto_offset_reset="earliest",
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
