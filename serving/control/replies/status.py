"""`GET status`: one page of what is live, ready and under way."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from deploy.engines.knowledge import KnowledgeLevel
from deploy.life.state import Freeze, Operation
from deploy.life.unfit.way import WayStep
from deploy.routing.document import GatewayBeat
from serving.control.replies.base import ControlReply
from serving.control.replies.breaker import BreakerStatus
from serving.control.replies.counts import PoolReply
from serving.control.replies.rails import GuardrailStatus


class LiveVersions(ControlReply):
    """The versions that the arms mean."""

    teacher: str
    student: str | None
    caveats: list[str] = Field(default_factory=list)
    """What is not known of the student, or was said against it."""
    notes: dict[str, str] = Field(default_factory=dict)
    """By version, what stands beside its figures, such as that it was dequantised."""


class SlotStatus(ControlReply):
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
    control_tokens: tuple[str, ...] = ()
    """Control tokens of its tokenizer, which gateways split in message text; none told: those of the configuration."""
    in_flight: int = 0
    bad: dict[str, str] = Field(default_factory=dict)
    """Versions that could not be loaded or verified here, with the reason."""
    load_seconds: float | None = None
    memory_bytes: int | None = None
    pid: int | None = None
    at: float = 0.0


class RoundProgress(ControlReply):
    """How far a stage is, in units of its own."""

    stage: str
    done: float
    total: float
    note: str = ""
    at: float = 0.0


class LearningStatus(ControlReply):
    """Whether rounds of distillation can begin."""

    possible: bool
    why: str = ""
    """Why not, and what helps."""
    by: KnowledgeLevel | None = None
    """What of the teacher is learned from; None until the trainer has found out."""
    not_more: str = ""
    """Why it is no more."""


class UnfitStatus(ControlReply):
    """The student that learns from copies and answers nobody, the way it has come, and what is missing."""

    version: str
    note: str
    """What it was made of."""
    way: list[WayStep]
    wanted: float
    """Share of the teacher's tokens that makes it a candidate (`gate.fit_agreement`)."""
    rows: int
    """Held-out prompts that are wanted for it."""
    rounds: int | None
    """At least so many more at the latest pace; None: nothing says."""
    seconds: float | None
    missing: str
    """The same in words, with what cannot be told."""


class SpendingStatus(ControlReply):
    """Tokens of today (UTC) that the external teacher was asked for, by purpose, and the cap of `daily_tokens`.

    As the API tells them; guessed by bytes and events where it does not.
    """

    primary: int
    """Of answers to clients, captured or not."""
    shadow: int
    scoring: int
    probes: int = 0
    cap: int | None = None

    @property
    def total(self) -> int:
        """All of them."""
        return self.primary + self.shadow + self.scoring + self.probes

    @property
    def reached(self) -> bool:
        """Whether the cap is."""
        return self.cap is not None and self.total >= self.cap


class TeacherChangeRow(ControlReply):
    """What the teacher answered otherwise than before; `replaced`: so much of it that it is another model."""

    at: float
    what: list[str]
    replaced: bool


class TeacherStatus(ControlReply):
    """A teacher that somebody else runs, as its fixed probes found it."""

    gives: str | None
    """In words; None before it answered."""
    asked: float | None
    """When, in seconds since the epoch."""
    served: str
    """What it calls the model that answers."""
    fingerprint: str
    error: str
    """Why it could not be asked the last time; empty where it could."""
    changes: list[TeacherChangeRow]
    """Of the last seven days."""


class RoundStatus(ControlReply):
    """The round under way; `id` is None without one."""

    id: int | None
    stage: str | None
    candidate: str | None = None
    progress: RoundProgress | None = None
    waits: str | None = None
    """What it waits for, with the command that helps."""
    ends_in: float | None = None
    """Seconds until it ends if nothing is refused; None where nothing says."""


class RolloutStatus(ControlReply):
    """The candidate on its way; `step` is -1 while its slot loads it."""

    version: str
    round: int | None
    step: int
    since: float
    steps: list[dict[str, Any]]
    """Steps that are over: share, exposures, seconds, why, what guardrails and pairs said."""
    exposures: int = 0
    """Requests of the candidate's users in this step."""
    slow: float | None
    """Seconds beyond which a reply counts as slow in this step."""
    guardrails: dict[str, GuardrailStatus] = Field(default_factory=dict)
    """By KPI, over all steps so far; empty while nothing is known."""
    note: str


class BusStatus(ControlReply):
    """Events that the workers have yet to consume, by topic; None where nobody knows."""

    lag: dict[str, int] | None
    oldest_seconds: dict[str, float] | None = None
    """How long the oldest of them has waited."""
    per_second: dict[str, float] | None = None
    """Events that had their effects, over the last ten seconds."""
    lost: int | None = None
    """Events that never came, by gaps in their numbers."""
    why: str = ""


class StatusReply(ControlReply):
    """One page: what is live, ready and under way."""

    epoch: int | None
    """Of the routing document in force."""
    live: LiveVersions
    unfit: UnfitStatus | None = None
    """None where a student is live, or there is none."""
    previous: list[str]
    """Up to three former stable versions, latest first."""
    slots: dict[str, SlotStatus]
    gateways: list[GatewayBeat]
    breaker: BreakerStatus = BreakerStatus()
    pool: PoolReply
    spending: SpendingStatus | None = None
    """None without an external teacher, or where it cannot be read."""
    teacher: TeacherStatus | None = None
    """None where the teacher is a version of ours."""
    learning: LearningStatus = LearningStatus(possible=True)
    round: RoundStatus
    rollout: RolloutStatus | None
    operation: Operation | None
    """The rollback or promotion by hand that is under way."""
    frozen: list[Freeze]
    bad: dict[str, str]
    """Versions that may not be served, with the reason."""
    bus: BusStatus
