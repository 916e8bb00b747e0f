"""The bus on Redis Streams: a topic is N streams, bounded by bytes; no consumer groups.

A reader keeps its position beside its effects (`feedback.consume.consumer`), so groups and their pending
lists would only add a second truth.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from feedback.bus.protocol import Numbered, Published, Received, refuses_when_full
from feedback.store.connection import connect, redis_errors
from feedback.store.keys import RedisKeys
from feedback.store.scripts import source


class RedisBus:
    """Streams `<prefix>bus:<topic>:<partition>` on the server at `url`."""

    def __init__(self, url: str, prefix: str, partitions: int, max_stream_bytes: int) -> None:
        self.partitions = partitions
        self._redis = connect(url)
        self._keys = RedisKeys(prefix)
        self._cap = max_stream_bytes
        self._publish = self._redis.register_script(source("publish"))
        self._trim = self._redis.register_script(source("trim"))

    def publish(
        self, topic: str, partition: int, spool: str, batch: Sequence[Numbered], *, force: bool = False
    ) -> Published:
        """See `Bus.publish`; one atomic call."""
        keep = "refuse" if refuses_when_full(topic) else "oldest"
        arguments: list[Any] = [self._cap, keep, int(force), spool]
        for event in batch:
            arguments += [event.number, event.value, event.key]
        stream = self._keys.stream(topic, partition)
        with redis_errors():
            highest, _, state = self._publish([stream, f"{stream}:numbers", f"{stream}:bytes"], arguments)
        return Published(int(highest), state.decode())

    def read(self, topic: str, partition: int, after: str, limit: int) -> list[Received]:
        """See `Bus.read`; never waits."""
        start = f"({after}" if after else "-"
        with redis_errors():
            rows = cast(list[Any], self._redis.xrange(self._keys.stream(topic, partition), start, "+", count=limit))
        return [
            Received(
                position.decode(),
                fields[b"s"].decode(),
                int(fields[b"n"]),
                fields[b"v"],
                fields.get(b"k", b"").decode(),
            )
            for position, fields in rows
        ]

    def forget(self, topic: str, partition: int, position: str) -> None:
        """Remove consumed entries, which makes room for writers."""
        stream = self._keys.stream(topic, partition)
        with redis_errors():
            self._trim([stream, f"{stream}:bytes"], [position])

    def lag(self, topic: str, partition: int, after: str) -> int:
        """Length of the stream: consumed entries are removed."""
        with redis_errors():
            return int(cast(int, self._redis.xlen(self._keys.stream(topic, partition))))

    def close(self) -> None:
        """Close the connections."""
        self._redis.close()
