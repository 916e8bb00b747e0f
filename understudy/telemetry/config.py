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
    access_log: bool = True
    """Whether the gateway writes a line of JSON on every completion request to `logs/gateway-PORT.access.jsonl` of the
    state directory: never a text, a user or an address of a client. The file is cut at 64 MiB; one former is kept."""
