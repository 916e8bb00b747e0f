"""Section `control`: where the control plane listens."""

from __future__ import annotations

from pydantic import Field

from understudy.config import Section


class ControlConfig(Section):
    """Loopback unless told otherwise; whoever opens it puts TLS in front."""

    host: str = "127.0.0.1"
    """Address on which the control plane listens."""
    port: int = Field(default=8001, ge=0, le=65535)
    """0: any free port."""
