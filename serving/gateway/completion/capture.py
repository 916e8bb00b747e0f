"""Whether a copy of a request and its reply is kept, and handing it over."""

from __future__ import annotations

from serving.gateway.record.raw import RawDegraded, RawExchange
from serving.gateway.service import Gateway

MAX_CAPTURED = 2 << 20
"""Bytes of a request that is captured: a longer one makes an event above `outbox.event_bytes`, and to find that out
would keep the outbox busy for up to a second."""


def wants(gateway: Gateway, request_id: str) -> bool:
    """Whether the capture rate takes this request."""
    rate = gateway.snapshot.document.capture_rate
    return gateway.capture and (rate >= 1 or int(request_id[:8], 16) < rate * 2**32)


def record(gateway: Gateway, raw: RawExchange | RawDegraded) -> None:
    """Hand a copy to the outbox; counts it when it is too long, or there is no room."""
    if len(raw.request) > MAX_CAPTURED:
        gateway.metrics.events["capture_too_large"] += 1
        return
    if gateway.outbox is not None and not gateway.outbox.put(raw):
        gateway.metrics.events["capture_dropped"] += 1
