"""Configuration of the gate and of the rollout."""

from __future__ import annotations

from types import MappingProxyType
from typing import Literal

from pydantic import Field, field_validator

from ab.guardrails import Guardrail
from understudy.config import Section


class GateConfig(Section):
    """The offline gate: candidate beside parent on held-out prompts, by exact replies, facts and agreement."""

    RENAMED = MappingProxyType({"general_margin": "margin", "min_prompts": "general_rows"})
    alpha: float = Field(default=0.05, gt=0, lt=0.5)
    """One-sided error level of each clause."""
    hard_min_improvement: float = Field(default=0.0, ge=0, lt=1)
    """The lower bound of the mean improvement in agreement on hard prompts must be above this."""
    margin: float = Field(default=0.03, gt=0, lt=1)
    """The share of exact replies to general prompts that may be lost, at 400 prompts; wider on fewer."""
    general_rows: int = Field(default=400, ge=2)
    """Held-out general prompts that are wanted."""
    hard_rows: int = Field(default=100, ge=2)
    """Held-out failures of the live student that are wanted."""
    on_few: Literal["wait", "go"] = "wait"
    """With fewer: the round waits for traffic to bring them, or goes on and says what it cannot see."""
    kind_rows: int = Field(default=20, ge=2)
    """Prompts from which on a kind is judged of its own."""
    known_share: float = Field(default=0.5, ge=0, le=1)
    """Of a kind's replies that the parent must have right for its rows to be judged apart from new kinds; 0: none are.
    """
    promotions_back: int = Field(default=5, ge=1)
    """The version that was live so many promotions ago is compared with, too, so that small losses do not add up."""
    fit_agreement: float = Field(default=0.85, gt=0, le=1)
    """Share of the teacher's tokens on held-out general prompts whose lower bound makes an unfit student a candidate.
    """
    fit_exact: float = Field(default=0.0, ge=0, le=1)
    """The same of exact replies; 0 asks for none, since a long reply is hardly ever exact in every token."""
    fit_rows: int = Field(default=100, ge=20)
    """Held-out general prompts that are wanted before an unfit student may be found fit."""
    safety_prompts: int = Field(default=500, ge=0, le=500)
    """Of the committed prompts that ought to be refused, how many parent and candidate are asked; fewer are a fair
    sample of all families and languages, for large models on slow machines. 0: none, and safety is not judged."""
    safety_seconds: float = Field(default=300, gt=0)
    """Within which one version must have answered them; what is not answered by then is not judged, and the gate says
    so. A version is asked once: what it answered is remembered."""


class RolloutStep(Section):
    """One step of a canary."""

    share: float = Field(gt=0, le=1)
    """Of the student's users that the candidate gets; a twentieth stays on the former version until it is live."""
    min_exposures: int = Field(default=1000, ge=0)
    """Replies of the candidate to live traffic before the step may end well."""
    max_wait_seconds: float = Field(default=86_400, gt=0)
    """After which `on_timeout` holds."""
    on_timeout: Literal["hold", "promote"] = "hold"
    """What too little traffic means: stay at this step, or go on with the evidence there is.

    `promote` goes on only where the gate passed on at least `gate.general_rows` general rows; else it holds.
    """

    @property
    def served(self) -> float:
        """What it gets indeed: somebody must be left to compare with."""
        return min(self.share, 1 - STAYS)


STAYS = 0.05
"""Share of the users who keep the former version until the rollout closes."""
LATENCY = "latency_p99"
DEFAULT_GUARDRAILS = (
    Guardrail(kpi="error_rate", max_increase=0.0),
    Guardrail(kpi="abnormal_termination", max_increase=0.0),
    Guardrail(kpi="degraded", max_increase=0.0),
    Guardrail(kpi=LATENCY, max_ratio=2.0),
    Guardrail(kpi="failed_checks", max_increase=0.0),
    Guardrail(kpi="exact", max_decrease=0.0),
    Guardrail(kpi="facts", max_decrease=0.0),
    Guardrail(kpi="similarity", max_decrease=0.0),
)
DEFAULT_STEPS = tuple(RolloutStep(share=share) for share in (0.01, 0.05, 0.25, 1.0))


class RolloutConfig(Section):
    """The canary's steps, what counts as harm, and how long operations may take (seconds)."""

    RENAMED = MappingProxyType(
        dict.fromkeys(
            ("agreement_margin", "similarity_margin", "max_abnormal_increase", "max_latency_ratio", "min_samples"),
            "guardrails",
        )
    )
    steps: tuple[RolloutStep, ...] = DEFAULT_STEPS
    """The canary's steps, in order."""
    guardrails: tuple[Guardrail, ...] = DEFAULT_GUARDRAILS
    """KPIs that the candidate's users may not have worse than others by more than a limit; looked at all the time.

    Those given stand beside the built-in ones, or instead of the one on the same KPI. `latency_p99` takes `max_ratio`:
    at most 1 % of replies may take that many times the stable version's P99 of the time before the step.
    """
    load_deadline: float = Field(default=300, gt=0)
    """For a candidate to be loaded and verified by its slot, and for the slot to come back when it is away later.

    A canary waits so long for its slot, and no longer: a candidate that ends its engine again and again would keep the
    next round from beginning. Then the candidate is taken back and its round ends; `understudy promote vN` asks again.
    """
    operation_deadline: float = Field(default=900, gt=0)
    """For the target of a rollback or promotion by hand to be loaded and verified."""
    follow_deadline: float = Field(default=10, gt=0)
    """For the gateways to follow a rollback or promotion; its answer then names those that are behind."""
    slot_grace: float = Field(default=20, ge=0)
    """How long a slot's last report stands when its agent is silent."""
    first_teacher: str | None = None
    """The version that is the teacher at first start; null: the newest."""
    first_student: str | None = None
    """The version that is stable at first start; null: the newest."""
    keep_versions: int = Field(default=8, ge=4)
    """Versions kept beside the live one, the candidate, the three former ones, cuts, and where their lines go on."""

    @field_validator("guardrails")
    @classmethod
    def _beside_built_in(cls, given: tuple[Guardrail, ...]) -> tuple[Guardrail, ...]:
        for rail in given:
            if (rail.kpi == LATENCY) != (rail.max_ratio is not None):
                raise ValueError(f"give max_ratio for {LATENCY}, and max_increase or max_decrease for any other kpi")
        if len({rail.kpi for rail in given}) < len(given):
            raise ValueError("give each kpi once")
        return tuple(({rail.kpi: rail for rail in DEFAULT_GUARDRAILS} | {rail.kpi: rail for rail in given}).values())

    @field_validator("steps")
    @classmethod
    def _rising(cls, steps: tuple[RolloutStep, ...]) -> tuple[RolloutStep, ...]:
        shares = [step.share for step in steps]
        if not steps or shares != sorted(shares):
            raise ValueError("give at least one step, and shares that do not fall")
        return steps
