"""What the controller must remember over a crash: the model of `registry/rollout.json` (`kept/store.py` writes it)."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from ab.running.phases import Phase
from deploy.routing.document import EXTERNAL
from deploy.routing.guarding import GuardRules

Freeze = Literal["promotion", "learning", "student"]
HISTORY = 20
"""Events kept in a version's record; the audit log keeps all."""


class _Remembered(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class GateRecord(_Remembered):
    """What the gate said of a version, and on how many held-out rows."""

    passed: bool
    general: int = 0
    hard: int = 0
    reasons: tuple[str, ...] = ()
    absolute: bool = False
    """Whether it was judged against the teacher alone, as the child of an unfit student."""


class VersionRecord(_Remembered):
    """State of a version's life, who decided on its promotion, and its last events."""

    state: str = "registered"
    decided_by: str = ""
    """Who let it go live, or took it back: exposures, a time-out, a guardrail or an operator."""
    steps: tuple[dict[str, Any], ...] = ()
    """The canary's steps that it went through."""
    history: tuple[dict[str, Any], ...] = ()
    gate: GateRecord | None = None
    """None: no gate judged it."""
    caveats: tuple[str, ...] = ()
    """What is not known of it, or was said against it, in words; shown wherever the version is."""
    line: str = ""
    """The cut that an unfit student descends from, or is."""


class CanaryState(_Remembered):
    """A candidate on its way; `step` is -1 while its slot loads it."""

    version: str
    round: int | None = None
    step: int = -1
    since: float = 0.0
    """When the present step, or the load, began, in seconds since the epoch; for readers."""
    began: float | None = None
    """The same by `Elapsed`, from which deadlines count; None in what an earlier release wrote."""
    steps: tuple[dict[str, Any], ...] = ()
    """Steps that are over: share, exposures, seconds, why, what guardrails and pairs said."""
    slow: float | None = None
    """Seconds beyond which a reply counts as slow in this step; None: not known yet."""
    note: str = ""


class Operation(_Remembered):
    """A rollback or promotion by hand that is under way."""

    id: str
    kind: Literal["rollback", "promote"]
    source: str | None
    target: str
    actor: str
    started: float
    """When, in seconds since the epoch; for readers."""
    began: float | None = None
    """The same by `Elapsed`, from which deadlines count; None in what an earlier release wrote."""


class OperationOutcome(_Remembered):
    """How the last operation ended."""

    id: str
    kind: str
    source: str | None
    target: str
    epoch: int | None = None
    """Epoch that carries it; None when it failed."""
    error: str = ""
    actor: str = ""
    told: bool = True
    """Whether the audit log has how it ended."""


class AskedFor(_Remembered):
    """What an operator asked for whose deed is not in this state; done after it stands here, and again until it is."""

    id: str
    act: Literal["apply", "stop", "abort", "purge", "round", "replay", "release", "mark"]
    actor: str
    name: str = ""
    """The experiment, the tenant, the topic, the user's breaker, the flagged request, or why a round is wanted."""
    mark: Literal["", "good", "bad"] = ""
    """What is said of a flagged request."""
    experiment: dict[str, Any] = Field(default_factory=dict)
    round: int = 0
    until: float = 0.0
    """What happened up to then is purged, in seconds since the epoch."""
    learned: tuple[str, ...] = ()
    inherited: tuple[str, ...] = ()
    """See `deploy.control.asked.purging.Purge`: nobody can tell once the rows are gone."""
    letters: tuple[str, ...] = ()
    """Ids of dead letters to be put back; none: all of the topic."""


class PendingEntry(_Remembered):
    """An entry of the audit log that this change makes; `id` is the same in every try to write it."""

    id: str
    at: float
    action: str
    actor: str
    details: dict[str, Any] = Field(default_factory=dict)


class ExperimentRun(_Remembered):
    """An experiment since it was applied, and its phases, those of earlier runs included."""

    active: bool = True
    began: float | None = None
    """When this run began, by `Elapsed`; None where that was lost."""
    rollback: str = ""
    """Id of the last rollback that it knows of."""
    fallen: bool = False
    """Whether a rollback took the slot of its pinned version: that arm is the stable version's until it is stopped."""
    phases: tuple[Phase, ...] = ()


class Pin(_Remembered):
    """A version that an experiment's arm keeps in the second student slot."""

    version: str
    experiment: str


class ControlState(_Remembered):
    """Everything that decides; replaced as a whole, never changed in place."""

    schema_version: Literal[1] = 1
    teacher: str = EXTERNAL
    stable: str | None = None
    previous: tuple[str, ...] = ()
    unfit: str | None = None
    """The student that learns and answers nobody, while none is stable; else the one that learned last, to which a
    rollback goes where there is no former stable version."""
    left: tuple[str, ...] = ()
    """Those of `previous` that a rollback went away from, until they go live again."""
    slots: dict[str, str | None] = Field(default_factory=dict)
    """Wanted version by student slot."""
    canary: CanaryState | None = None
    operation: Operation | None = None
    outcome: OperationOutcome | None = None
    asked: tuple[AskedFor, ...] = ()
    """Acts of operators that the audit log has and that may not be done yet; in their order."""
    frozen: tuple[Freeze, ...] = ()
    guard: GuardRules | None = None
    """What operators set of the guard while gateways run."""
    experiments: dict[str, ExperimentRun] = Field(default_factory=dict)
    """By id; those that were stopped stay, so that no number of a phase comes twice."""
    pinned: Pin | None = None
    bad: dict[str, str] = Field(default_factory=dict)
    versions: dict[str, VersionRecord] = Field(default_factory=dict)
    pending: tuple[PendingEntry, ...] = ()
    """What the audit log may not have yet: written with the change itself, so that no crash comes between."""

    @property
    def learner(self) -> str | None:
        """The unfit student that is loaded for copies and is the parent of rounds; None where a student is stable."""
        return self.unfit if self.stable is None else None

    def record(self, version: str) -> VersionRecord:
        """The record of a version; a fresh one for a version not yet met."""
        return self.versions.get(version, VersionRecord())
