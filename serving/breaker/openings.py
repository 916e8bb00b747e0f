"""How gateways tell each other of users whose breaker opened, or was closed by hand: one stream, bounded, in Redis."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

LONGEST_STREAM = 10_000
"""Entries kept; a gateway that reads more rarely than that misses openings, and opens by itself."""
AT_ONCE = 1_000
"""Entries read at once."""


@dataclass(frozen=True, slots=True)
class Opening:
    """A breaker opened for so many seconds more; 0: it was closed by hand."""

    name: str
    seconds: float


class Commands(Protocol):
    """A Redis that may be away, `deploy.routing.quick_redis.QuickRedis`: then the answer is None."""

    def call(self, name: str, *args: Any, **kwargs: Any) -> Any: ...


class Openings:
    """The stream at `key`, as the gateway `source` writes and reads it. Calls wait as long as `redis` does.

    `back` is how long ago an opening may have been for a gateway that starts now, in seconds.
    """

    def __init__(self, redis: Commands, key: str, source: str, back: float) -> None:
        self._redis = redis
        self._key = key
        self._source = source
        self._back = back
        self._position = ""

    def tell(self, opening: Opening) -> bool:
        """Tell the others; whether Redis took it."""
        entry = {"name": opening.name, "seconds": f"{opening.seconds:.3f}", "source": self._source}
        return bool(self._redis.call("xadd", self._key, entry, maxlen=LONGEST_STREAM, approximate=True))

    def news(self) -> list[Opening]:
        """What others told since the last call, as much of it as still holds; empty where Redis is away."""
        time = self._redis.call("time")
        if time is None:
            return []
        now = time[0] + time[1] / 1e6
        if not self._position or _at(self._position) > now:  # at the start, and where the server's clock went back
            self._position = f"{max(0, int((now - self._back) * 1000))}-0"
        answer = self._redis.call("xread", {self._key: self._position}, count=AT_ONCE)
        return list(self._read(answer, now))

    def _read(self, answer: Any, now: float) -> Iterator[Opening]:
        for _, entries in answer or ():
            for number, entry in entries:
                self._position = number
                opening = parsed(entry, now - _at(number))
                if opening is not None and entry.get("source") != self._source:
                    yield opening


def _at(number: str) -> float:
    """When an entry was written, in seconds of the server's clock."""
    return int(number.split("-")[0]) / 1000


def parsed(entry: dict[str, str], age: float) -> Opening | None:
    """The opening in an entry that is `age` seconds old; None of one that is over, or of what is none."""
    try:
        name, seconds = entry["name"], float(entry["seconds"])
    except (KeyError, ValueError):
        return None
    if seconds == 0.0:
        return Opening(name, 0.0)
    left = min(seconds, seconds - age)
    return Opening(name, left) if left > 0 else None
