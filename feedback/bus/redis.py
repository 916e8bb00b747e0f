"""The bus on Redis Streams: a topic is N streams, bounded by bytes; no consumer groups.

A reader keeps its position beside its effects (`feedback.consume.consumer`), so groups and their pending
lists would only add a second truth.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from feedback.bus.protocol import PARTITIONS, Held, Numbered, Place, Published, Received, refuses_when_full
from feedback.letters import LIMIT
from feedback.store.connection import connect, redis_errors
from feedback.store.keys import RedisKeys
from feedback.store.scripts import source

WAIT_MS = 1000
"""How long replicas may take to follow when the server is asked what it holds."""
SKIP = """
if ARGV[2] + 0 > tonumber(redis.call('HGET', KEYS[1], ARGV[1]) or '0') then
  redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
end
"""


class RedisBus:
    """Streams `<prefix>bus:<topic>:<partition>` on the server at `url`; `replicas` of it must hold an event
    before it is believed at once."""

    def __init__(self, url: str, prefix: str, partitions: int, max_stream_bytes: int, replicas: int = 0) -> None:
        self.partitions = partitions
        self._redis = connect(url)
        self._keys = RedisKeys(prefix)
        self._cap = max_stream_bytes
        self._publish = self._redis.register_script(source("publish"))
        self._replicas = replicas
        self._skip = self._redis.register_script(SKIP)
        self._trim = self._redis.register_script(source("trim"))

    def publish(self, topic: str, partition: int, spool: str, batch: Sequence[Numbered]) -> Published:
        """See `Bus.publish`; one atomic call."""
        keep = "refuse" if refuses_when_full(topic) else "oldest"
        arguments: list[Any] = [self._cap, keep, spool]
        for event in batch:
            arguments += [event.number, event.value, event.key]
        stream = self._keys.stream(topic, partition)
        with redis_errors():
            highest, _, state = self._publish([stream, f"{stream}:numbers", f"{stream}:bytes"], arguments)
        return Published(int(highest), state.decode())

    def held(self, spool: str, places: Sequence[Place]) -> dict[Place, Held]:
        """See `Bus.held`; one round trip, two where replicas must hold it too."""
        with redis_errors(), self._redis.pipeline(transaction=False) as pipe:
            pipe.info("server")
            for place in places:
                pipe.hget(f"{self._keys.stream(*place)}:numbers", spool)
            if self._replicas:
                pipe.set(self._keys.waited, spool)  # WAIT looks at this connection's last write, and at all before it
                pipe.execute_command("WAIT", self._replicas, WAIT_MS)
            server, *numbers = pipe.execute()
        sure = bool(self._replicas) and int(numbers[-1]) >= self._replicas
        return {
            place: Held(str(server["run_id"]), int(number or 0), sure)
            for place, number in zip(places, numbers[: len(places)], strict=True)
        }

    def skip(self, topic: str, partition: int, spool: str, number: int) -> None:
        """See `Bus.skip`; an empty batch that begins behind them."""
        stream = self._keys.stream(topic, partition)
        with redis_errors():
            self._skip([f"{stream}:numbers"], [spool, number])

    def width(self, topic: str) -> int:
        """See `Bus.width`; one round trip."""
        beyond = range(self.partitions, PARTITIONS)
        with redis_errors(), self._redis.pipeline(transaction=False) as pipe:
            for partition in beyond:
                pipe.xlen(self._keys.stream(topic, partition))
            lengths = pipe.execute()
        return max([self.partitions, *(part + 1 for part, length in zip(beyond, lengths, strict=True) if length)])

    def bound(self, topic: str) -> int:
        """What is far below what Redis takes in one value."""
        return LIMIT

    def read(self, topic: str, partition: int, after: str, limit: int) -> list[Received]:
        """See `Bus.read`; never waits."""
        start = f"({after}" if after else "-"
        with redis_errors():
            rows = cast(list[Any], self._redis.xrange(self._keys.stream(topic, partition), start, "+", count=limit))
        return [_received(position.decode(), fields) for position, fields in rows]

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


def _received(position: str, fields: dict[bytes, bytes]) -> Received:
    """An entry of a stream; its position begins with the milliseconds of its time."""
    spool, key = fields[b"s"].decode(), fields.get(b"k", b"").decode()
    return Received(position, spool, int(fields[b"n"]), fields[b"v"], key, int(position.partition("-")[0]) / 1000)
