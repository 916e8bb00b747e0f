"""Messages on the bus: pydantic models with a schema version, keyed by session, deterministic ids."""

from __future__ import annotations

import json
from typing import Annotated, Any, ClassVar, Literal, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from ab.experiment import ExperimentLayer
from understudy.ids import stable_id

EXCHANGES = "understudy.exchanges"
EXPOSURES = "understudy.exposures"
HARD = "understudy.hard"
KPIS = "understudy.kpis"
VERDICTS = "understudy.verdicts"
TOPICS = (EXCHANGES, EXPOSURES, HARD, KPIS, VERDICTS)
DEAD_LETTER = ".dlt"

InputKind = Literal["ambiguity", "grammar", "mixed_domain", "multi_intent", "nested", "truncated"]
CheckKind = Literal["semantic", "logic", "quality"]
"""The kinds of the checks that come with the product; a worker may run others beside them."""
INPUT_KINDS: tuple[InputKind, ...] = get_args(InputKind)
CHECK_KINDS: tuple[CheckKind, ...] = get_args(CheckKind)
HARD_KINDS: tuple[str, ...] = INPUT_KINDS + CHECK_KINDS


def _counted(value: Any) -> int | None:
    """A number of tokens as an engine gives it; None for what cannot be one."""
    return value if type(value) is int and 0 <= value < 1 << 31 else None


Tokens = Annotated[int | None, BeforeValidator(_counted)]
MOST_TOKENS = 1 << 15
"""Of a reply, whose ids are kept."""


def _ids(value: Any) -> tuple[int, ...] | None:
    """Ids of tokens as an engine gives them; None for what cannot be some, and for very many."""
    if not isinstance(value, list | tuple) or not 0 < len(value) <= MOST_TOKENS:
        return None
    return None if any(_counted(item) is None for item in value) else tuple(value)


TokenIds = Annotated[tuple[int, ...] | None, BeforeValidator(_ids)]


class Event(BaseModel):
    """Base of every message."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    TEXT: ClassVar[tuple[str, ...]] = ()
    """Fields that hold what people wrote; they are stored under a key of the tenant (`feedback.privacy.vault`)."""
    schema_version: int
    id: str
    session: str
    """Key: events of one session keep their order."""
    tenant: str = "default"
    at: float
    """Seconds since the epoch, when it happened."""


class PhaseArm(BaseModel):
    """What a unit counts for: a phase of an experiment, and the arm that the unit has there."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    experiment: str
    phase: int = 0
    arm: str
    layer: ExperimentLayer = "arm"
    slow: tuple[tuple[str, float], ...] = ()
    """Of an exchange: KPIs of latency guardrails, each with the seconds beyond which it is slow in that phase."""
    covariates: tuple[tuple[str, str], ...] = ()
    """KPIs, each with the covariate that is kept of the unit when it comes for the first time (`click_before`)."""


class Exposure(Event):
    """A unit met a phase of an experiment: said at routing, and counted once for each unit and phase."""

    schema_version: Literal[1] = 1
    unit: str
    experiment: str
    phase: int = Field(ge=0)
    arm: str
    """That the unit has, whoever answers."""
    bucket: float
    epoch: int
    """Of the routing document."""
    fell_back: bool = False
    """Whether another version than the arm's answered."""
    covariates: tuple[tuple[str, str], ...] = ()
    """As in `PhaseArm`."""


class Exchange(Event):
    """One request and its reply as the client saw them, already redacted."""

    TEXT: ClassVar[tuple[str, ...]] = ("messages", "params", "reply", "reply_tokens")
    schema_version: Literal[1, 2, 3] = 1
    """2 where it is `degraded`: a program that does not know of those must not count them for an arm. 3 where it counts
    for `experiments` nevertheless: a program that does not know of those must not pass over them."""
    unit: str
    unit_derived: bool = False
    user: str | None = None
    api: Literal["chat", "completions"] = "chat"
    messages: list[dict[str, Any]]
    """For completions one message with role `user` holding the prompt."""
    params: dict[str, Any] = Field(default_factory=dict)
    """max_tokens, temperature, seed, ... of the request, not its text."""
    reply: str
    reply_tokens: TokenIds = None
    """Its tokens as the engine gave them, where the client asked for them; None else, and where it was redacted."""
    finish_reason: str = "stop"
    status: int = 200
    arm: Literal["teacher", "student"]
    """The arm that answered."""
    assigned: Literal["teacher", "student"] | None = None
    """The arm that the unit is assigned to, which differs from `arm` when the other stood in."""
    version: str
    epoch: int
    experiment: str | None = None
    """That decided who answers."""
    experiments: tuple[PhaseArm, ...] = ()
    """All phases that it counts for; testers and derived users count for none."""
    line: str = ""
    """Line of business, as `router.lines` names them; empty: none are named."""
    rollout: str | None = None
    """Side of a canary that the unit is on, whoever answered (`feedback.kpis.names.trial`); None: on neither."""
    slow_after: float | None = Field(default=None, ge=0, le=1e9)
    """Seconds beyond which that canary calls a reply slow."""
    fell_back: bool = False
    """Whether another version answered than the one meant."""
    response_id: str = ""
    model: str = ""
    """Model name that the client gave."""
    streamed: bool = False
    ttft: float | None = Field(default=None, ge=0, le=1e9)
    """Seconds from request to first byte of the reply."""
    seconds: float = Field(default=0.0, ge=0, le=1e9)
    prompt_tokens: Tokens = None
    completion_tokens: Tokens = None
    redacted: bool = False
    """Whether surrogates stand in it; then both arms are asked on the redacted prompt."""
    flagged: bool = False
    """Whether the guard flagged it, or an earlier turn of its session; such input never trains."""
    guard_stage: str = ""
    """The guard's stage that flagged or degraded this very request; empty of all others."""
    guard_score: float | None = None
    """Log-odds of an attack; None where nothing was scored."""
    guard_user: str = ""
    """Of such a request: what the breaker of its user is called, a hash."""
    degraded: Literal["", "guard", "breaker", "deadline"] = ""
    """Why the client got the degraded reply: no engine was asked, and `arm`, `version` and `reply` say nothing. Such a
    one has `experiments` where those compare the guard with none; nothing else counts it."""
    shadow: bool = True
    """Whether capture allowed a shadow copy."""
    tools: bool = False

    @property
    def counts_for(self) -> tuple[PhaseArm, ...]:
        """`experiments`; of an exchange that an older release wrote the one that it names, in phase 0."""
        if self.experiments or self.experiment is None or self.unit_derived:
            return self.experiments
        return (PhaseArm(experiment=self.experiment, arm=self.assigned or self.arm),)


class Verdict(Event):
    """What the checks said of a teacher reply and a student reply to the same prompt."""

    TEXT: ClassVar[tuple[str, ...]] = ("reasons",)
    schema_version: Literal[3] = 3
    unit: str = ""
    """Of the exchange; empty in schemas 1 and 2."""
    experiment: str | None = None
    experiments: tuple[PhaseArm, ...] = ()
    """Of the exchange."""
    rollout: str | None = None
    """Side of a canary that the student's reply counts for, see `feedback.kpis.names.trial`."""
    exchange: str
    teacher: str
    student: str
    """Versions."""
    similarity: float
    """Of the two texts, in [0, 1]: the semantic check's score. Schema 1 called it `agreement`."""
    checked: tuple[str, ...] = ()
    """Kinds of the checks that ran."""
    failed: tuple[str, ...] = ()
    """Of these."""
    kinds: tuple[InputKind, ...] = ()
    reasons: tuple[str, ...] = ()
    exact: bool | None = None
    """Whether the student's text is the teacher's, width, case and white space aside; None: not looked at."""
    facts: bool | None = None
    """Whether both state the same facts, see `feedback.checks.evidence`."""
    quality_teacher: float = 0.0
    quality_student: float = 0.0

    @model_validator(mode="before")
    @classmethod
    def _from_former_schemas(cls, value: Any) -> Any:
        if not isinstance(value, dict) or value.get("schema_version") not in (1, 2):
            return value
        if value["schema_version"] == 2:
            return {**value, "schema_version": 3}
        kept = {name: item for name, item in value.items() if name != "agreement"}
        return {"similarity": value.get("agreement"), **kept, "schema_version": 3}


class HardSample(Event):
    """An input whose checks failed (or that is hard by its kind), for the pool. Text only."""

    TEXT: ClassVar[tuple[str, ...]] = ("messages", "teacher_text", "teacher_tokens", "student_text")
    schema_version: Literal[1] = 1
    exchange: str
    messages: list[dict[str, Any]]
    teacher_text: str
    teacher_tokens: TokenIds = None
    """Its tokens as the teacher gave them, which its text encoded again need not be; None: not known, or cut."""
    student_text: str
    teacher: str
    student: str
    kinds: tuple[str, ...]
    """Failed checks first, then INPUT_KINDS; the first is the quota kind."""
    weight: float = 3.0
    """Of the loss; 1 for replay and anchors."""
    lang: str = "en"
    cut: bool = False
    """Whether a limit of tokens ended one of the texts, so that both are cut there and end nowhere."""
    seq: int = 0
    """Place in the pool's order, given by the pool."""

    @property
    def failed_checks(self) -> tuple[str, ...]:
        """Those of its kinds that are a check's."""
        return tuple(kind for kind in self.kinds if kind not in INPUT_KINDS)


class Kpi(Event):
    """One value of one operational KPI."""

    schema_version: Literal[1] = 1
    kpi: str
    value: float = Field(ge=-1e12, le=1e12, allow_inf_nan=False)
    arm: Literal["teacher", "student"] | None = None
    version: str | None = None
    target: str = ""
    """Response or session id that it is about."""


MODELS: dict[str, type[Event]] = {
    EXCHANGES: Exchange,
    EXPOSURES: Exposure,
    HARD: HardSample,
    KPIS: Kpi,
    VERDICTS: Verdict,
}


def newer_schema(topic: str, value: bytes) -> int | None:
    """The schema version of an event that is newer than this program knows; None of any other."""
    model = MODELS.get(topic)
    try:
        given = json.loads(value).get("schema_version")
    except (ValueError, AttributeError):
        return None
    known = max(get_args(model.model_fields["schema_version"].annotation)) if model else None
    return given if type(given) is int and known is not None and given > known else None


def exchange_id(response_id: str) -> str:
    """Deterministic id of an exchange."""
    return stable_id("exchange", response_id)


def sample_id(exchange: str, student: str) -> str:
    """Deterministic id of a hard sample: one for an exchange and student version."""
    return stable_id("hard", exchange, student)
