"""One request to an endpoint, as its breaker sees it: it went well, badly, or says nothing about the engine."""

from __future__ import annotations

import math

from serving.breaker.machine import CallOutcome
from serving.gateway.pool.endpoint import Endpoint


class Call:
    """From the moment in which an endpoint is chosen. The first that is told counts; what comes later changes nothing.

    Refusals below 500, among them 429, and what a client does say nothing about the engine.
    """

    __slots__ = ("_began", "_endpoint", "_era")

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._began = endpoint.clock()
        self._era: int | None = endpoint.breaker.begin()

    def answered(self, status: int, streams: bool) -> None:
        """A reply began; one that streams is judged by its first byte."""
        if status < 500:
            self._endpoint.answered_at = self._endpoint.clock()
        if status >= 500:
            self._end(CallOutcome.BAD)
        elif status >= 400:
            self._end(CallOutcome.UNKNOWN)
        elif not streams:
            self._end(CallOutcome.GOOD)

    def first_byte(self) -> None:
        """The body of a reply that streams began."""
        if self._era is not None:
            slow = self._endpoint.clock() - self._began > self._endpoint.rule.slow_seconds
            self._end(CallOutcome.BAD if slow else CallOutcome.GOOD)

    def failed(self) -> None:
        """The connection broke off before the reply, or it did not begin in time."""
        self._end(CallOutcome.BAD)

    def unreachable(self) -> None:
        """There was no connection to be had: nobody listens there, which one refusal shows."""
        if self._era is not None:
            self._end(CallOutcome.UNKNOWN)
            self._endpoint.answered_at = -math.inf
            self._endpoint.breaker.strike()

    def forget(self) -> None:
        """Nobody waits for it any more, or what ended it is not the engine's doing."""
        self._end(CallOutcome.UNKNOWN)

    def _end(self, outcome: CallOutcome) -> None:
        era, self._era = self._era, None
        if era is not None:
            self._endpoint.breaker.end(era, outcome)
