"""What was counted and written down: pool, KPIs, audit log."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from serving.control.replies.base import ControlReply


class PoolReply(ControlReply):
    """The hard pool: samples now, and counts since the beginning."""

    size: int | None
    """None where it cannot be read; `why` says why."""
    anchors: int = 0
    by_kind: dict[str, int] = Field(default_factory=dict)
    by_tenant: dict[str, int] = Field(default_factory=dict)
    admitted: int = 0
    duplicate: int = 0
    replaced: int = 0
    evicted: int = 0
    purged: int = 0
    why: str = ""


class PurgeReply(ControlReply):
    """What was removed of a tenant, and what a purge cannot undo."""

    tenant: str
    removed: int
    """Samples of the pool."""
    rows: int = 0
    """Rows of rounds."""
    rounds: list[int] = Field(default_factory=list)
    """Rounds that held them; they cannot be repeated."""
    ended: int | None = None
    """The round under way that drew on the tenant."""
    learned: list[str] = Field(default_factory=list)
    """Versions that were trained on the tenant."""
    inherited: list[str] = Field(default_factory=list)
    """Versions trained from the weights of those."""


class KpiSummary(ControlReply):
    """Count, mean and variance (ddof 1) of a KPI; quantiles of latencies alone, to 1 %."""

    n: int
    mean: float
    var: float
    p50: float | None = None
    p99: float | None = None


class KpiFigure(ControlReply):
    """A KPI over distinct users, with its 95 % interval at a fixed time; None: too few users to give one."""

    value: float
    lower: float | None
    upper: float | None
    users: int
    """Who have part in it."""


class LatencyQuantile(ControlReply):
    """A quantile, to 1 %, with its 95 % interval by a bootstrap over 128 groups of users."""

    value: float
    lower: float | None
    upper: float | None


class FlaggedCount(ControlReply):
    """Requests that the guard flagged or degraded, of those that are kept."""

    tenant: str
    verdict: str
    """`flag`, `degrade`, or another cause of the degraded reply, such as `breaker`."""
    stage: str
    """The stage of the guard that decided."""
    arm: str
    """Empty where no arm answered, like `version`."""
    version: str
    n: int


class KpisReply(ControlReply):
    """KPIs by arm or version: single values, figures over distinct users, and quantiles in seconds."""

    by: Literal["arm", "version"]
    kpis: dict[str, dict[str, KpiSummary]]
    figures: dict[str, dict[str, KpiFigure]]
    """The seven KPIs, ratings and declared values."""
    quantiles: dict[str, dict[str, dict[str, LatencyQuantile]]]
    """{group: {"latency" or "ttft": {"p50" or "p99": ...}}}"""
    bytes: dict[str, int]
    """Of Redis, for `targets` of feedback, `early` feedback and `rows` of users."""
    counters: dict[str, int]
    """Of feedback and its memory: what came, was repeated, outdated or unknown, and what was dropped or refused."""
    flagged: list[FlaggedCount] = Field(default_factory=list)
    """What the guard said by tenant and cause, whatever `by` is; of what `guard flagged list` still holds."""
    notes: dict[str, str] = Field(default_factory=dict)
    """By version, what stands beside its figures; empty by arm."""


class AuditEntry(ControlReply):
    """One line of the audit log."""

    n: int
    at: float
    action: str
    actor: str
    details: dict[str, Any]
    previous: str
    """Hash of the line before."""
    hash: str
    id: str = ""
    """Of an entry that belongs to a change of the controller's state."""
    key: str = ""
    signature: str = ""
    """Over number and hash, by the registry's key of that id."""


class AuditReply(ControlReply):
    """Lines of the audit log, oldest first."""

    entries: list[AuditEntry]
