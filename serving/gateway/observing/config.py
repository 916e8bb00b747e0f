"""Section `traces`: which requests become spans. Where they go, the standard variables of OpenTelemetry say."""

from __future__ import annotations

from pydantic import Field

from understudy.config import Section


class TracesConfig(Section):
    """Spans are made where `OTEL_EXPORTER_OTLP_ENDPOINT` (or `..._TRACES_ENDPOINT`) is set and the extra `traces` is
    installed."""

    share: float = Field(default=0.01, ge=0, le=1)
    """Of requests without a `traceparent` that become spans; one that has it says itself whether it is sampled."""
    max_per_second: float = Field(default=10, ge=0)
    """Requests that become spans at most, however many clients ask for it; those beyond are counted."""
