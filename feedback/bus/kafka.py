"""The bus on Kafka, by kafka-python, whose producer bounds neither memory nor waiting.

So nothing here is called by a request: the outbox's thread hands over small batches and waits for
the acknowledgement of each, and a batch that failed is forgotten together with its producer; the
spool sends it again, and the consumer ignores numbers that it has applied.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import KafkaAdminClient, NewTopic
from kafka.errors import KafkaError, TopicAlreadyExistsError

from feedback.bus.protocol import Numbered, Published, Received
from understudy.errors import Unavailable

ACKNOWLEDGE_SECONDS = 10.0
CONNECT_MS = 5_000
POLL_MS = 50
BUFFERED = 1_000
"""Events of one partition held here before it is paused."""


class KafkaBus:
    """Topics on the brokers `servers` (`host:port[,host:port]`); one writer thread and one reader thread."""

    def __init__(self, servers: str, partitions: int) -> None:
        self.partitions = partitions
        self._servers = [s.strip() for s in servers.strip("/").split(",") if s.strip()]
        self._producer: KafkaProducer | None = None
        self._consumer: KafkaConsumer | None = None
        self._known: set[str] = set()
        self._buffers: dict[TopicPartition, deque[Received]] = {}
        self._next: dict[TopicPartition, str] = {}

    def publish(
        self, topic: str, partition: int, spool: str, batch: Sequence[Numbered], *, force: bool = False
    ) -> Published:
        """See `Bus.publish`; returns when all replicas in sync hold the batch. Never reports a gap."""
        with self._kafka_errors():
            self._ensure(topic)
            producer = self._writer()
            try:
                futures = [
                    producer.send(
                        topic,
                        partition=partition,
                        key=event.key.encode(),
                        value=event.value,
                        headers=[("s", spool.encode()), ("n", str(event.number).encode())],
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
        return Published(batch[-1].number if batch else 0, "ok")

    def read(self, topic: str, partition: int, after: str, limit: int) -> list[Received]:
        """See `Bus.read`; waits up to 50 ms for the broker."""
        place = TopicPartition(topic, partition)
        with self._kafka_errors():
            self._ensure(topic)
            consumer = self._reader(place, after)
            buffer = self._buffers[place]
            if not buffer:
                self._poll(consumer)
            taken = [buffer.popleft() for _ in range(min(limit, len(buffer)))]
        if taken:
            self._next[place] = taken[-1].position
        return taken

    def forget(self, topic: str, partition: int, position: str) -> None:
        """Nothing to do: the broker's retention decides."""

    def lag(self, topic: str, partition: int, after: str) -> int:
        """Events between `after` and the end of the partition."""
        place = TopicPartition(topic, partition)
        with self._kafka_errors():
            self._ensure(topic)
            consumer = self._reader(place, after)
            begin = int(after) + 1 if after else int(consumer.beginning_offsets([place])[place])
            return max(0, int(consumer.end_offsets([place])[place]) - begin)

    def close(self) -> None:
        """Drop producer and consumer."""
        self._drop_writer()
        self._drop_reader()

    def _writer(self) -> KafkaProducer:
        if self._producer is None:
            self._producer = KafkaProducer(
                bootstrap_servers=self._servers,
                acks="all",
                enable_idempotence=True,
                linger_ms=5,
                max_block_ms=CONNECT_MS,
                request_timeout_ms=CONNECT_MS,
                delivery_timeout_ms=int(ACKNOWLEDGE_SECONDS * 1000),
                bootstrap_timeout_ms=CONNECT_MS,
            )
        return self._producer

    def _reader(self, place: TopicPartition, after: str) -> KafkaConsumer:
        if self._consumer is None:
            self._consumer = KafkaConsumer(
                bootstrap_servers=self._servers,
                group_id=None,
                enable_auto_commit=False,
                auto_offset_reset="earliest",
                request_timeout_ms=CONNECT_MS,
                bootstrap_timeout_ms=CONNECT_MS,
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
        self._next[place] = after
        if after:
            self._consumer.seek(place, int(after) + 1)
        else:
            self._consumer.seek_to_beginning(place)

    def _poll(self, consumer: KafkaConsumer) -> None:
        full = {place for place, buffer in self._buffers.items() if len(buffer) >= BUFFERED}
        paused = set(consumer.paused())
        consumer.pause(*(full - paused))
        consumer.resume(*(paused - full))
        for place, records in consumer.poll(timeout_ms=POLL_MS, max_records=BUFFERED).items():
            for record in records:
                head = dict(record.headers or ())
                number = int(head.get("n", b"0"))
                spool = head.get("s", b"").decode()
                key = (record.key or b"").decode("utf-8", "replace")
                received = Received(str(record.offset), spool, number, record.value or b"", key)
                self._buffers[place].append(received)

    def _ensure(self, topic: str) -> None:
        if topic in self._known:
            return
        admin = KafkaAdminClient(bootstrap_servers=self._servers, bootstrap_timeout_ms=CONNECT_MS)
        try:
            admin.create_topics([NewTopic(topic, self.partitions, -1)], timeout_ms=CONNECT_MS)
        except TopicAlreadyExistsError:
            self._known.add(topic)
        finally:
            admin.close()
        self._known.add(topic)

    def _drop_writer(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            producer.close(timeout=0)

    def _drop_reader(self) -> None:
        consumer, self._consumer = self._consumer, None
        self._buffers.clear()
        self._next.clear()
        if consumer is not None:
            consumer.close(timeout_ms=1000)

    @contextmanager
    def _kafka_errors(self) -> Iterator[None]:
        try:
            yield
        except (KafkaError, OSError, TimeoutError) as error:
            raise Unavailable(f"Kafka at {','.join(self._servers)} is away: {error!r}") from error
