"""The bus on Kafka, by kafka-python, whose producer bounds neither memory nor waiting.

So nothing here is called by a request: the outbox's thread hands over small batches and waits for
the acknowledgement of each, and a batch that failed is forgotten together with its producer; the
spool sends it again, and the consumer ignores numbers that it has applied.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from itertools import takewhile

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import (
    InvalidRecordError,
    InvalidTimestampError,
    MessageSizeTooLargeError,
    RecordListTooLargeError,
)

from feedback.bus.config import KafkaConfig
from feedback.bus.kafka_clients import KafkaWriter, made
from feedback.bus.kafka_cluster import CONNECT_MS, LARGEST, RECORD, KafkaTopics, connection, kafka_errors, servers_of
from feedback.bus.kafka_tail import LogEnds, highest_of
from feedback.bus.kafka_writes import WriteStarts
from feedback.bus.protocol import Held, Numbered, Place, Published, Received

ACKNOWLEDGE_SECONDS = 10.0
FOR_GOOD = (MessageSizeTooLargeError, RecordListTooLargeError, InvalidRecordError, InvalidTimestampError)
"""What no retry cures."""
POLL_MS = 50
STALL_SECONDS = 10.0
"""For which a partition that has events may be read in vain, before its consumer is made anew."""
PAUSE_SECONDS = 2.0
"""Between two reads of a partition, above which another worker may have had it meanwhile."""
BUFFERED = 1_000
"""Events of one partition held here before it is paused."""


class KafkaBus:
    """Topics on the brokers `servers` (`host:port[,host:port]`); one writer thread and one reader thread."""

    def __init__(self, servers: str, partitions: int, config: KafkaConfig | None = None) -> None:
        self.partitions = partitions
        self._servers = servers_of(servers)
        self._access = connection(config or KafkaConfig())
        self._topics = KafkaTopics(self._servers, partitions, self._access)
        self._acked: dict[Place, tuple[str, int]] = {}
        self._ends = LogEnds(partial(highest_of, self._servers, self._access))
        self._producer: KafkaWriter | None = None
        self._consumer: KafkaConsumer | None = None
        self._buffers: dict[TopicPartition, deque[Received]] = {}
        self._next: dict[TopicPartition, str] = {}
        self._starts: dict[TopicPartition, WriteStarts] = {}
        self._vain: dict[TopicPartition, tuple[float, float]] = {}

    def publish(self, topic: str, partition: int, spool: str, batch: Sequence[Numbered]) -> Published:
        """See `Bus.publish`; returns when all replicas in sync hold the batch. Never reports a gap."""
        with kafka_errors(self._servers):
            limit = self._topics.ensure(topic) - RECORD
            fits = list(takewhile(lambda event: len(event.value) + len(event.key.encode()) <= limit, batch))
            if not fits:
                size = len(batch[0].value)
                return Published(batch[0].number - 1, "refused", f"{size} bytes, of which the topic takes {limit}")
            try:
                self._send(topic, partition, spool, fits)
            except FOR_GOOD as error:
                self._topics.forget(topic)
                if len(fits) > 1:  # one of them is at fault: a half at a time finds it
                    return self.publish(topic, partition, spool, fits[: len(fits) // 2])
                return Published(fits[0].number - 1, "refused", repr(error))
        return Published(fits[-1].number, "ok")

    def held(self, spool: str, places: Sequence[Place]) -> dict[Place, Held]:
        """See `Bus.held`: whether what was acknowledged is still in the log, after each change of the leader.

        A partition whose end is not read yet cannot be asked.
        """
        with kafka_errors(self._servers):
            topics = sorted({topic for topic, _ in places})
            found = self._topics.epochs([topic for topic in topics if self._topics.ensure(topic)])
        lives = {place: found[place] for place in places if place in found}
        doubtful = {place: life for place, life in lives.items() if self._acked.get(place, (life, 0))[0] != life}
        read = self._ends.highest(spool, doubtful)
        for place, number in read.items():
            self._acked[place] = (lives[place], min(self._acked[place][1], number))
        for place in doubtful.keys() - read.keys():
            del lives[place]
        return {place: Held(life, self._acked.get(place, ("", 0))[1] or None) for place, life in lives.items()}

    def skip(self, topic: str, partition: int, spool: str, number: int) -> None:
        """See `Bus.skip`: the log has no numbers of its own."""
        self._acked[topic, partition] = (self._acked.get((topic, partition), ("", 0))[0], number)

    def width(self, topic: str) -> int:
        """See `Bus.width`."""
        with kafka_errors(self._servers):
            self._topics.ensure(topic)
            return max(self.partitions, self._topics.width(topic))

    def bound(self, topic: str) -> int:
        """See `Bus.bound`; asks the topic itself, where it can be asked."""
        with kafka_errors(self._servers):
            return max(1, self._topics.ensure(topic) - RECORD)

    def _send(self, topic: str, partition: int, spool: str, batch: Sequence[Numbered]) -> None:
        producer = self._writer()
        began = str(batch[0].number).encode()
        try:
            futures = [
                producer.send(
                    topic,
                    partition=partition,
                    key=event.key.encode(),
                    value=event.value,
                    headers=[("s", spool.encode()), ("n", str(event.number).encode()), ("f", began)],
                )
                for event in batch
            ]
            producer.flush(timeout=ACKNOWLEDGE_SECONDS)
            end = time.monotonic() + ACKNOWLEDGE_SECONDS
            for future in futures:
                future.get(timeout=max(0.01, end - time.monotonic()))
        except BaseException:
            self._drop_writer()
            raise
        place = (topic, partition)
        self._acked[place] = (self._acked.get(place, ("", 0))[0], batch[-1].number)

    def read(self, topic: str, partition: int, after: str, limit: int) -> list[Received]:
        """See `Bus.read`; waits up to 50 ms for the broker."""
        place = TopicPartition(topic, partition)
        with kafka_errors(self._servers), self._fresh_after_errors():
            self._topics.ensure(topic)
            consumer = self._reader(place, after)
            buffer = self._buffers[place]
            if not buffer:
                self._poll(consumer)
            taken = [buffer.popleft() for _ in range(min(limit, len(buffer)))]
        if taken:
            self._next[place] = taken[-1].position
            self._vain.pop(place, None)
        else:
            self._note_vain(place)
        return taken

    def _note_vain(self, place: TopicPartition) -> None:
        """Keep from when to when a partition was read in vain, without a break."""
        now = time.monotonic()
        since, last = self._vain.get(place, (now, now))
        self._vain[place] = (now if now - last > PAUSE_SECONDS else since, now)

    def forget(self, topic: str, partition: int, position: str) -> None:
        """Nothing to do: the broker's retention decides."""

    def lag(self, topic: str, partition: int, after: str) -> int:
        """Events between `after` and the end of the partition."""
        place = TopicPartition(topic, partition)
        with kafka_errors(self._servers), self._fresh_after_errors():
            self._topics.ensure(topic)
            consumer = self._reader(place, after)
            begin = int(after) + 1 if after else int(consumer.beginning_offsets([place])[place])
            left = max(0, int(consumer.end_offsets([place])[place]) - begin)
        since, last = self._vain.get(place, (0.0, 0.0))
        if not left:
            self._vain.pop(place, None)
        elif last - since > STALL_SECONDS and not self._buffers[place]:
            self._drop_reader()  # its thread may have died of what it met, and nobody is told
        return left

    @contextmanager
    def _fresh_after_errors(self) -> Iterator[None]:
        """A consumer that raised is not trusted again."""
        try:
            yield
        except BaseException:
            self._drop_reader()
            raise

    def close(self) -> None:
        """Drop producer and consumer."""
        self._drop_writer()
        self._drop_reader()
        self._topics.close()

    def _writer(self) -> KafkaWriter:
        if self._producer is None:
            self._producer = made(
                KafkaWriter,
                bootstrap_servers=self._servers,
                acks="all",
                max_request_size=LARGEST,
                enable_idempotence=True,
                linger_ms=5,
                max_block_ms=CONNECT_MS,
                request_timeout_ms=CONNECT_MS,
                delivery_timeout_ms=int(ACKNOWLEDGE_SECONDS * 1000),
                bootstrap_timeout_ms=CONNECT_MS,
                **self._access,
            )
        return self._producer

    def _reader(self, place: TopicPartition, after: str) -> KafkaConsumer:
        if self._consumer is None:
            self._consumer = made(
                KafkaConsumer,
                bootstrap_servers=self._servers,
                group_id=None,
                enable_auto_commit=False,
                auto_offset_reset="earliest",
                request_timeout_ms=CONNECT_MS,
                bootstrap_timeout_ms=CONNECT_MS,
                **self._access,
            )
        if place not in self._buffers:
            self._consumer.assign([*self._buffers, place])
            self._buffers[place] = deque()
            self._seek(place, after)
        elif self._next[place] != after:
            self._seek(place, after)
        return self._consumer

    def _seek(self, place: TopicPartition, after: str) -> None:
        assert self._consumer is not None
        self._buffers[place].clear()
        self._vain.pop(place, None)
        self._next[place] = after
        self._starts[place] = WriteStarts(int(after) + 1 if after else 0)
        if after:
            self._consumer.seek(place, int(after) + 1)
        else:
            self._consumer.seek_to_beginning(place)

    def _poll(self, consumer: KafkaConsumer) -> None:
        full = {place for place, buffer in self._buffers.items() if len(buffer) >= BUFFERED}
        paused = set(consumer.paused())
        consumer.pause(*(full - paused))
        consumer.resume(*(paused - full))
        waits = 0 if any(self._buffers.values()) else POLL_MS  # an empty partition holds up none that has events
        for place, records in consumer.poll(timeout_ms=waits, max_records=BUFFERED).items():
            for record in records:
                head = dict(record.headers or ())
                number = int(head.get("n", b"0"))
                spool = head.get("s", b"").decode()
                key = (record.key or b"").decode("utf-8", "replace")
                at = (record.timestamp or 0) / 1000
                first = self._starts[place].first(record.offset, spool, number, int(head.get("f", b"0")))
                received = Received(str(record.offset), spool, number, record.value or b"", key, at, first)
                self._buffers[place].append(received)

    def _drop_writer(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            producer.close(timeout=0)

    def _drop_reader(self) -> None:
        consumer, self._consumer = self._consumer, None
        self._buffers.clear()
        self._next.clear()
        self._vain.clear()
        if consumer is not None:
            with suppress(Exception):  # it raises whatever its thread died of, and is forgotten then, too
                consumer.close(timeout_ms=1000)
