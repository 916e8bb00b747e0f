"""Configuration of Redis, bus, outbox, shadow and pool."""

from __future__ import annotations

from pydantic import Field

from understudy.config import Section


class RedisConfig(Section):
    """Where Redis is; empty: the embedded one of `up`."""

    url: str = ""
    prefix: str = "us:"


class BusConfig(Section):
    """`redis://...` or `kafka://host:port[,host:port]`; empty: the Redis of section `redis`."""

    url: str = ""
    partitions: int = Field(default=2, ge=1, le=256)
    max_stream_bytes: int = Field(default=64 << 20, gt=0)


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
    """How long a published event stays in the spool, in case the bus forgets its last moments in a crash."""


class ShadowConfig(Section):
    """Shadow traffic and the checks."""

    to_student: float = Field(default=0.5, ge=0, le=1)
    to_teacher: float = Field(default=0.5, ge=0, le=1)
    to_candidate: float = Field(default=0.5, ge=0, le=1)
    """Of the copies for the student: the share that asks the candidate while there is one."""
    concurrency: int = Field(default=2, ge=1)
    deadline: float = Field(default=20.0, gt=0)
    """Seconds."""
    default_temperature: float = Field(default=1.0, ge=0)
    """What requests without one are sampled at; above 0 both arms are asked anew, greedily."""
    max_running: int = Field(default=6, ge=1)
    """A copy waits (until its deadline; then it is dropped, counted) while the engine runs more than this."""
    max_tokens: int = Field(default=128, gt=0)
    queue: int = Field(default=256, gt=0)
    semantic_threshold: float = Field(default=0.8, ge=0, le=1)
    quality_margin: float = Field(default=0.35, ge=0)


class PoolConfig(Section):
    """The hard-sample pool."""

    capacity: int = Field(default=20_000, gt=0)
    tenant_share: float = Field(default=0.5, gt=0, le=1)
    kind_share: float = Field(default=0.5, gt=0, le=1)
    duplicate_similarity: float = Field(default=0.9, gt=0, le=1)
    hard_weight: float = Field(default=3.0, gt=0)
    anchors: int = Field(default=4000, gt=0)
    """Size of the reservoir of exchanges that passed, for replay."""


class KpisConfig(Section):
    """Names accepted by /v1/feedback beside the built-in ones, and how long late arrivals are joined."""

    declared: tuple[str, ...] = ()
    late_days: float = Field(default=30, gt=0)
    """How long a response, a session, or feedback that came before its response is remembered."""
    targets: int = Field(default=100_000, gt=0)
    """Responses and sessions remembered at most, and as much early feedback; the oldest go first."""
