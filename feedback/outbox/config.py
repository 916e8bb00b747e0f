"""Configuration of the outbox: its bounds."""

from __future__ import annotations

from pydantic import Field

from understudy.config import Section


class OutboxConfig(Section):
    """The gateway's spool."""

    queue: int = Field(default=2048, gt=0)
    """Exchanges held in memory before they reach the spool; beyond it they are dropped and counted."""
    queue_bytes: int = Field(default=64 << 20, gt=0)
    """Bytes of those exchanges, as far as the caller gives their size."""
    spool_bytes: int = Field(default=256 << 20, gt=0)
    """Beyond it events are dropped and counted; feedback is refused."""
    event_bytes: int = Field(default=1 << 20, gt=0)
    """Larger events are dropped and counted."""
    keep_seconds: float = Field(default=5.0, ge=0)
    """How long the bus must be heard without a restart since it named an event's number; asked again then, it names
    one as high, or the event stays in the spool and is sent again."""
