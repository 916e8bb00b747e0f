"""Configuration of the bus."""

from __future__ import annotations

from pydantic import Field

from understudy.config import Section


class BusConfig(Section):
    """`redis://...` or `kafka://host:port[,host:port]`; empty: the Redis of section `redis`."""

    url: str = ""
    partitions: int = Field(default=2, ge=1, le=256)
    max_stream_bytes: int = Field(default=64 << 20, gt=0)
    replicas: int = Field(default=0, ge=0, le=16)
    """Replicas of an external Redis that must hold an event before it leaves the spool at once (`WAIT`); without
    them it is believed after `outbox.keep_seconds` and a second answer."""
