"""Which requests become spans, decided before OpenTelemetry is asked: ids and a few attributes are all it costs here.

W3C Trace Context: a client's sampled flag is obeyed up to `traces.max_per_second`, its trace goes on, and the engine's
parent is the span of ours that asks it.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from dataclasses import dataclass, field

from serving.gateway.http.wire import Headers
from understudy.clock import Clock, monotonic

TRACEPARENT = b"traceparent"
FORM = re.compile(rb"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?")
SAMPLED = 1


@dataclass(slots=True)
class EngineCall:
    """One engine that was asked; seconds by the gateway's clock."""

    span: int
    began: float
    arm: str
    version: str
    model: str
    host: str
    port: int
    failed: str = ""
    """Why it gave no reply; empty where it did."""
    ended: float | None = None
    """None: with the request."""


@dataclass(slots=True)
class Trace:
    """The place of one request in a trace, and the engines that were asked for it."""

    trace: int
    parent: int
    """The client's span; 0 without one."""
    span: int
    sampled: bool
    calls: list[EngineCall] = field(default_factory=list)

    def asked(self, call: EngineCall, given: Headers) -> Headers:
        """The headers for an engine, whose parent is `call`: the client's, `traceparent` replaced."""
        if self.calls and self.calls[-1].ended is None:
            self.calls[-1].ended = call.began
        self.calls.append(call)
        parent, flags = (call.span, 1) if self.sampled else (self.parent, 0)
        line = b"00-%032x-%016x-%02x" % (self.trace, parent, flags)
        return [(TRACEPARENT, line), *(one for one in given if one[0] != TRACEPARENT)]

    def failed(self, why: str, at: float) -> None:
        """The engine that was asked last gave no reply, for a cause of `failures`."""
        if self.calls and self.calls[-1].ended is None:
            self.calls[-1].failed, self.calls[-1].ended = why, at


class Sampler:
    """Says of each request whether it becomes spans; one event loop asks."""

    def __init__(self, share: float, most: float, clock: Clock = monotonic, seed: int | None = None) -> None:
        self.counts = Counter(sampled=0, over_limit=0)
        """Requests that became spans, and that would have but for the limit."""
        self._share = share
        self._most = most
        self._clock = clock
        self._left, self._at = max(1.0, most), clock()
        self._random = random.Random(seed)

    def sample(self, given: bytes | None) -> Trace | None:
        """The trace of a request with the header `given`; None: it is none of ours, and its header passes as it is."""
        told = None if given is None else FORM.fullmatch(given.strip())
        if told is None:
            return self._trace(self._id(128), 0) if self._random.random() < self._share and self._room() else None
        if not int(told[3], 16) & SAMPLED:
            return None
        trace, parent = int(told[1], 16), int(told[2], 16)
        return self._trace(trace, parent) if self._room() else Trace(trace, parent, 0, sampled=False)

    def span(self) -> int:
        """A new span's id."""
        return self._id(64)

    def _trace(self, trace: int, parent: int) -> Trace:
        self.counts["sampled"] += 1
        return Trace(trace, parent, self._id(64), sampled=True)

    def _id(self, bits: int) -> int:
        return self._random.getrandbits(bits) or 1

    def _room(self) -> bool:
        """Take one of the second's share: a bucket that holds one second's worth, and refills steadily."""
        now = self._clock()
        self._left = min(max(1.0, self._most), self._left + max(0.0, now - self._at) * self._most)
        self._at = now
        if self._most <= 0 or self._left < 1:
            self.counts["over_limit"] += 1
            return False
        self._left -= 1
        return True
