"""The routing document: what gateways route by, immutable and numbered by `epoch`.

Only the controller writes it (`deploy.routing.documents`); everybody else reads. Pure models here.
"""

from __future__ import annotations

import re
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from ab.applying import refusal
from ab.experiment import NAME, Arm, Experiment, When
from ab.running.phases import Phase
from deploy.audit.heads import AuditHead
from deploy.routing.guarding import GuardRules
from understudy.config import Section

SlotName = Literal["teacher", "student-a", "student-b"]
SLOTS: tuple[SlotName, ...] = ("teacher", "student-a", "student-b")
STUDENT_SLOTS: tuple[SlotName, ...] = ("student-a", "student-b")
EXTERNAL = "external"
"""Version name of an engine that somebody else runs."""
OTHER_LINE = "other"
"""Line of business of requests that none of the named ones takes."""
MOST_TOKENS = 1024
"""Control tokens that are told of an engine."""
MOST_LINES = 8
"""Of business: results keep sums for each of them, and a user's row a part."""


def _teacher_alone() -> dict[Arm, float]:
    return {"teacher": 1.0}


class RouterConfig(Section):
    """How `auto` is split where no experiment matches, and names that stand for others."""

    default: dict[Arm, float] = Field(default_factory=_teacher_alone)
    """Arm, or shares of arms, of `auto` requests that no experiment takes."""
    aliases: dict[str, str] = Field(default_factory=dict)
    """Further model names: what each stands for (auto, teacher, student or student:VERSION)."""
    experiments: tuple[Experiment, ...] = ()
    """Experiments that apply from the start, in the format of docs/experiment.yaml."""
    lines: dict[str, When] = Field(default_factory=dict)
    """Lines of business, segments or intents by which results are told: up to eight names, each with its requests.

    The conditions are those of an experiment's `when`, and look at requests of `auto`. The first that holds counts;
    what none takes is of the line `other`.
    """
    poll_seconds: float = Field(default=0.25, gt=0, le=1)
    """Between two looks for a new routing document."""

    @field_validator("experiments")
    @classmethod
    def _apart(cls, value: tuple[Experiment, ...]) -> tuple[Experiment, ...]:
        for place, one in enumerate(value):
            if why := refusal(one, value[:place]):
                raise ValueError(f"`{one.id}` cannot hold beside the others: {why}")
        return value

    @field_validator("aliases")
    @classmethod
    def _stand_for_models(cls, value: dict[str, str]) -> dict[str, str]:
        for name, target in value.items():
            if not re.fullmatch("auto|teacher|student|student:.+", target):
                raise ValueError(f"`{name}` stands for {target!r}; give auto, teacher, student or student:VERSION")
        return value

    @field_validator("lines")
    @classmethod
    def _few_and_named(cls, value: dict[str, When]) -> dict[str, When]:
        if len(value) > MOST_LINES:
            raise ValueError(f"takes {MOST_LINES} lines at most, these are {len(value)}")
        for name in value:
            if not re.fullmatch(NAME, name) or name in (OTHER_LINE, "all"):
                raise ValueError(
                    f"{name!r} cannot name a line: use letters, digits, dot, dash and underscore; `{OTHER_LINE}` and "
                    "`all` are taken"
                )
        return value

    @field_validator("default", mode="before")
    @classmethod
    def _arm_or_shares(cls, value: object) -> object:
        return {value: 1.0} if isinstance(value, str) else value

    @field_validator("default")
    @classmethod
    def _shares(cls, value: dict[Arm, float]) -> dict[Arm, float]:
        if not value or any(s < 0 for s in value.values()) or abs(sum(value.values()) - 1) > 1e-6:
            raise ValueError("give an arm (teacher or student) or shares of them that add up to 1")
        return value


class _Shared(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Heartbeat(_Shared):
    """What a slot's agent reports every second; a Redis key with an expiry of five seconds."""

    schema_version: Literal[1] = 1
    slot: SlotName
    url: str
    """Address of the engine, such as http://127.0.0.1:8100."""
    model: str
    """Name to put in the body's `model`."""
    state: str
    """State of the slot's machine, such as starting, serving, loading, failed."""
    version: str | None = None
    """The version that is loaded and verified; None while there is none."""
    ready: bool = False
    control_tokens: tuple[str, ...] = Field(default=(), max_length=MOST_TOKENS)
    """Of its tokenizer and chat template (`deploy.engines.tokens`); none where it does not know them."""
    fingerprint: float | None = None
    """Largest difference of log-probabilities found by the last check, in nats."""
    in_flight: int = 0
    bad: dict[str, str] = Field(default_factory=dict)
    """Versions that could not be loaded or verified here, with the reason."""
    load_seconds: float | None = None
    memory_bytes: int | None = None
    pid: int | None = None
    at: float = 0.0


class BreakerBeat(_Shared):
    """How the breakers of one gateway stand: of users by number, of engines by address."""

    closed: int = 0
    open: int = 0
    half_open: int = 0
    users: tuple[str, ...] = Field(default=(), max_length=20)
    """Those of users that are open, hashed, the latest first."""
    engines: dict[str, str] = Field(default_factory=dict)
    """State by address, of those that are not closed."""
    guarded: dict[str, tuple[int, int]] = Field(default_factory=dict, max_length=21)
    """Requests by tenant that the guard flagged, and that were degraded, since the gateway began."""


class GatewayBeat(_Shared):
    """What a gateway reports: the epoch that it routes by (0 or below before the first document), and when."""

    id: str
    epoch: int = Field(ge=-1)
    url: str = ""
    pid: int | None = None
    breaker: BreakerBeat = BreakerBeat()
    at: float


class SlotView(_Shared):
    """A slot in the routing document: what it should serve, and what its heartbeat said last."""

    desired: str | None = None
    url: str = ""
    """Address of the engine as it was given; `deploy.engines.address` says where its API lies."""
    model: str = ""
    version: str | None = None
    ready: bool = False
    control_tokens: tuple[str, ...] = Field(default=(), max_length=MOST_TOKENS)
    """As its heartbeat told them; none: the gateway's own list holds."""
    api_key: str = Field(default="", repr=False, exclude=True)
    """Only in memory, for engines that somebody else runs; never written."""

    @property
    def serves(self) -> bool:
        """Whether requests may go there: ready with the very version that is wanted."""
        return self.ready and self.version is not None and self.version == self.desired


class ShadowRates(_Shared):
    """Shares of captured exchanges that are replayed on the other arm."""

    to_student: float = Field(default=0.5, ge=0, le=1)
    """Of exchanges answered by the teacher."""
    to_teacher: float = Field(default=0.5, ge=0, le=1)
    """Of exchanges answered by the student."""


class RoutingDocument(_Shared):
    """Everything a gateway needs in order to route. Compare by `epoch`; never changed in place."""

    schema_version: Literal[1] = 1
    epoch: int = Field(default=0, ge=0)
    created: float = 0.0
    reason: str = ""
    """Why this epoch was written, in a few words."""
    slots: dict[str, SlotView] = Field(default_factory=dict)
    teacher: str = EXTERNAL
    """Version of the teacher."""
    stable: str | None = None
    """Version that the `student` arm means."""
    unfit: str | None = None
    """Version that learns from copies and answers nobody; None where a student is stable, or there is none."""
    candidate: str | None = None
    candidate_share: float = Field(default=0.0, ge=0, le=1)
    candidate_step: int | None = None
    """Step of the canary; None while there is none, or it is not compared."""
    candidate_slow: float | None = Field(default=None, gt=0)
    """Seconds beyond which a reply counts as slow in this step; None: not known."""
    previous: tuple[str, ...] = ()
    """Up to three former stable versions, latest first."""
    default: dict[Arm, float] = Field(default_factory=_teacher_alone)
    aliases: dict[str, str] = Field(default_factory=dict)
    lines: tuple[tuple[str, When], ...] = ()
    """Lines of business; the first that holds of a request counts."""
    experiments: tuple[Experiment, ...] = ()
    phases: dict[str, Phase] = Field(default_factory=dict)
    """The phase of each experiment, by id; one that has none is in the first of its file."""
    shadow: ShadowRates = ShadowRates()
    capture_rate: float = Field(default=1.0, ge=0, le=1)
    guard: GuardRules | None = None
    """Thresholds and modes of the guard over each gateway's own; None: none were set."""
    frozen: tuple[Literal["promotion", "learning", "student"], ...] = ()
    fence: int = 0
    """Number of the leader that wrote it; 0 without a lease."""
    audit: AuditHead | None = None
    """Where the audit log stood, signed."""

    def slot_of(self, version: str | None, arm: Arm) -> SlotView | None:
        """The slot that serves `version` of `arm` right now; None when there is none."""
        for name, slot in self.slots.items():
            is_teacher = name == "teacher"
            if is_teacher == (arm == "teacher") and slot.serves and slot.version == version:
                return slot
        return None
