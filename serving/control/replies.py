"""What the control plane answers, one model for each reply: for its routes, their OpenAPI document and all who ask.

A key that was not set when the reply was made is left out of its JSON; one that was set to None is `null`.
Times are seconds since the epoch unless a name says otherwise. Whoever reads a newer reply ignores what is new in it.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from ab.experiment import Experiment
from deploy.life.state import Freeze, Operation
from deploy.routing.document import GatewayBeat


class _Reply(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True, use_attribute_docstrings=True)


class ErrorDetail(_Reply):
    """What was wrong, in words and as a stable name."""

    message: str
    type: str
    param: str | None
    code: str


class ErrorReply(_Reply):
    """Every refusal."""

    error: ErrorDetail


class LiveVersions(_Reply):
    """The versions that the arms mean."""

    teacher: str
    student: str | None


class SlotStatus(_Reply):
    """A slot: what is wanted of it and, where its agent reports, what its last heartbeat said."""

    desired: str | None
    """Version that it should serve."""
    url: str
    model: str
    version: str | None
    """Version that is loaded and verified."""
    ready: bool
    reports: bool
    """Whether its agent was heard."""
    state: str = "silent"
    fingerprint: float | None = None
    """Largest difference of log-probabilities found by the last check, in nats."""
    in_flight: int = 0
    bad: dict[str, str] = Field(default_factory=dict)
    """Versions that could not be loaded or verified here, with the reason."""
    load_seconds: float | None = None
    memory_bytes: int | None = None
    pid: int | None = None
    at: float = 0.0


class RoundProgress(_Reply):
    """How far a stage is, in units of its own."""

    stage: str
    done: float
    total: float
    note: str = ""
    at: float = 0.0


class RoundStatus(_Reply):
    """The round under way; `id` is None without one."""

    id: int | None
    stage: str | None
    candidate: str | None = None
    progress: RoundProgress | None = None
    waits: str | None = None
    """What it waits for, with the command that helps."""


class RolloutStatus(_Reply):
    """The candidate on its way; `step` is -1 while its slot loads it."""

    version: str
    round: int | None
    step: int
    since: float
    steps: list[dict[str, Any]]
    """Steps that are over: share, exposures, seconds, why."""
    step_exposures: int
    note: str


class PoolReply(_Reply):
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


class BusStatus(_Reply):
    """Events that the workers have yet to consume, by topic; None where nobody knows."""

    lag: dict[str, int] | None
    why: str = ""


class StatusReply(_Reply):
    """One page: what is live, ready and under way."""

    epoch: int | None
    """Of the routing document in force."""
    live: LiveVersions
    previous: list[str]
    """Up to three former stable versions, latest first."""
    slots: dict[str, SlotStatus]
    gateways: list[GatewayBeat]
    breaker: dict[str, Any]
    pool: PoolReply
    round: RoundStatus
    rollout: RolloutStatus | None
    operation: Operation | None
    """The rollback or promotion by hand that is under way."""
    frozen: list[Freeze]
    bad: dict[str, str]
    """Versions that may not be served, with the reason."""
    bus: BusStatus


class VersionRow(_Reply):
    """One version of the registry."""

    version: str
    state: str
    kind: Literal["student", "teacher"]
    created: float
    parent: str | None
    teacher: str | None
    round: int | None
    decided_by: str
    bad: str | None
    bytes: int
    metrics: dict[str, Any]


class VersionsReply(_Reply):
    """Versions, newest first."""

    versions: list[VersionRow]


class TakenBack(_Reply):
    """A candidate that a rollback or promotion took back."""

    version: str
    round: int | None


class MoveReply(_Reply):
    """A rollback or promotion that is done."""

    source: str | None = Field(alias="from")
    to: str
    epoch: int
    seconds: float
    follow_seconds: float
    """From the new epoch until the last live gateway had it."""
    behind: list[str] = Field(default_factory=list)
    """Gateways that did not follow in time."""
    warning: str = ""
    taken_back: TakenBack | None = None


class FrozenReply(_Reply):
    """What is frozen now."""

    frozen: list[Freeze]
    warning: str = ""


class RoundRequestedReply(_Reply):
    """A round that was asked for."""

    requested: bool
    why: str
    waits: str | None
    """Why it does not begin at once."""


class RoundAbortedReply(_Reply):
    """A round that was ended; `stage` is where it was."""

    round: int
    stage: str
    state: str
    candidate: str | None
    why: str


class PurgeReply(_Reply):
    """Samples of a tenant that were removed from the pool."""

    tenant: str
    removed: int


class KpiSummary(_Reply):
    """Count, mean and variance (ddof 1) of a KPI; quantiles of latencies alone, to about 9 %."""

    n: int
    mean: float
    var: float
    p50: float | None = None
    p99: float | None = None


class KpisReply(_Reply):
    """Summaries by arm or version, then by KPI."""

    by: Literal["arm", "version"]
    kpis: dict[str, dict[str, KpiSummary]]


class RolloutRow(_Reply):
    """A version's life so far."""

    version: str
    state: str
    decided_by: str
    steps: list[dict[str, Any]]
    history: list[dict[str, Any]]


class RolloutsReply(_Reply):
    """Each version's life, the one under way first."""

    rollouts: list[RolloutRow]


class StageRow(_Reply):
    """A stage of a round that is over."""

    started: float
    seconds: float
    event: str
    summary: dict[str, Any]


class RoundRow(_Reply):
    """A round with its stages."""

    id: int
    state: str
    parent: str
    teacher: str
    candidate: str | None
    why: str
    """Why it was begun."""
    started: float
    ended: str | None
    """Why it ended otherwise than live."""
    stages: dict[str, StageRow]


class RoundsReply(_Reply):
    """Rounds, newest first."""

    rounds: list[RoundRow]


class AuditEntry(_Reply):
    """One line of the audit log."""

    n: int
    at: float
    action: str
    actor: str
    details: dict[str, Any]
    previous: str
    """Hash of the line before."""
    hash: str


class AuditReply(_Reply):
    """Lines of the audit log, oldest first."""

    entries: list[AuditEntry]


class NotComputedReply(_Reply):
    """A page that this release does not fill."""

    available: bool
    why: str


ExperimentState = Literal["active", "stopped"]


class ExperimentReply(Experiment):
    """An experiment as it was applied, with its state."""

    state: ExperimentState


class ExperimentsReply(_Reply):
    """Every experiment; of the active ones the first that matches a request takes it."""

    experiments: list[ExperimentReply]


class ExperimentAppliedReply(_Reply):
    """An experiment that takes part from `epoch` on."""

    id: str
    epoch: int
    warnings: list[str]


class ExperimentStoppedReply(_Reply):
    """An experiment that takes part until `epoch`; what it counted stays."""

    id: str
    epoch: int


class ArmCount(_Reply):
    """Exposures of an arm and, to about 1 %, its units."""

    exposures: int
    units: int


class ExperimentResultsReply(_Reply):
    """What an experiment counted."""

    id: str
    state: ExperimentState
    arms: dict[str, ArmCount]
    planned_units: int
    decision: str
    why: str
