"""Joins access log and traces to a gateway, as configuration and the standard variables say."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from serving.gateway.observing.access_log import AccessLog
from serving.gateway.observing.config import TracesConfig
from serving.gateway.observing.ledger import RequestLedger, Sink
from serving.gateway.observing.sampling import Sampler
from serving.gateway.observing.spans import open_spans, wanted
from serving.gateway.service import Gateway
from understudy.config import Config
from understudy.state import StateDir
from understudy.telemetry.config import TelemetryConfig


@contextmanager
def observed(gateway: Gateway, config: Config, state: StateDir, name: str) -> Iterator[None]:
    """Tell of the requests of `gateway` while the context is open; `name` is unique among those of `state`."""
    traces = config.section(TracesConfig)
    spans = open_spans() if wanted() else None
    sinks: list[Sink] = [] if spans is None else [spans]
    if config.section(TelemetryConfig).access_log:
        sinks.append(AccessLog(state.logs / f"{name}.access.jsonl"))
    if not sinks:
        yield
        return
    if spans is not None:
        gateway.sampler = Sampler(traces.share, traces.max_per_second)
    gateway.ledger = RequestLedger(*sinks)
    gateway.ledger.show(gateway.metrics.page, gateway.sampler)
    try:
        yield
    finally:
        gateway.ledger.close()
        if spans is not None:
            spans.close()
