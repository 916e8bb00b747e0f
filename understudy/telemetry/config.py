"""Section `telemetry`: where roles without a port of their own show their metrics."""

from __future__ import annotations

from pydantic import Field

from understudy.config import Section


class TelemetryConfig(Section):
    """Metrics. Gateway and control plane show `/metrics` on their own ports."""

    host: str = "127.0.0.1"
    """Address on which worker, trainer, agents show `/metrics`; from elsewhere the token of metrics is asked for."""
    port: int = Field(default=0, ge=0, le=65535)
    """Their port; 0: any free one, told in `run/metrics/ROLE.json` of the state directory. A fixed one is for a
    machine or container that runs one role: where it is taken another is used, and the log says so."""
