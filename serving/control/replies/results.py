"""What an experiment's units say, at one look."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from serving.control.replies.base import ControlReply

Decided = Literal["keep running", "ship", "stop for harm", "stop for futility", "sample-ratio alarm", "not enough data"]


class ArmUnits(ControlReply):
    """Distinct units of an arm over all phases."""

    units: int
    fell_back: int | None = None
    """Units that another version answered at least once in a phase, added up over phases; they count for their arm."""
    notes: dict[str, str] = Field(default_factory=dict)
    """By version that the arm served in some phase, what stands beside its figures."""


class FixedInterval(ControlReply):
    """What one look at a horizon fixed beforehand would say."""

    lower: float | None
    upper: float | None
    p: float


class AdjustedResult(ControlReply):
    """What the time before says of a KPI: of how many units, and what part of the effect's variance it takes away."""

    covariate: str
    units: int
    variance_reduced: float


class KpiResult(ControlReply):
    """A KPI of an arm less that of the first; what is not known is null."""

    kpi: str
    test: str
    effect: float | None
    lower: float | None
    upper: float | None
    p: float
    fixed: FixedInterval
    old: float | None
    new: float | None
    n: int
    """Units of both arms that have it."""
    margin: float = 0.0
    verdict: str
    significant: bool | None = None
    """Of a secondary KPI: whether Holm's procedure takes it for proven."""
    adjusted: AdjustedResult | None = None
    """Of one with a covariate."""


class GuardrailResult(ControlReply):
    """How much worse, and both edges."""

    kpi: str
    limit: str
    worse: float | None
    lower: float | None
    upper: float | None
    verdict: str


class ArmComparison(ControlReply):
    """The first arm against another."""

    old: str
    new: str
    primary: KpiResult | None
    secondary: list[KpiResult]
    guardrails: list[GuardrailResult]


class SampleRatioResult(ControlReply):
    """Whether units arrive in the shares asked for; an alarm below 0.001."""

    p_fixed: float
    p_sequential: float
    verdict: Literal["fits", "alarm"]


class BusinessResult(ControlReply):
    """A KPI of the business table: effect absolute and in per cent, always-valid 95 % interval, and its width."""

    kpi: str
    arm: str
    old: float | None
    new: float | None
    effect: float | None
    percent: float | None
    lower: float | None
    upper: float | None
    width: float | None
    wanted: float | None
    """Width below which the interval is narrow enough."""
    missing: int | None
    """Users still missing in each arm; null: nothing can be said yet."""
    n: int


class LineContributionResult(ControlReply):
    """What a line of business contributes: its share of the KPI's occasions times its effect, no cause."""

    line: str
    n: int
    """Units that have the KPI there."""
    share: float
    effect: float
    value: float
    lower: float | None
    upper: float | None


class LineContributionsResult(ControlReply):
    """Of a KPI between the first arm and another; lines and composition add up to the effect."""

    kpi: str
    arm: str
    old: float
    new: float
    effect: float
    lines: list[LineContributionResult]
    composition: float
    """What is left: another mix of lines in the arms, or of phases within a line."""


class PairedResult(ControlReply):
    """Shadow pairs of an experiment's units: the quality of the new arm's reply less the old one's, on one prompt."""

    old: str
    new: str
    prompts: int
    users: int
    differing: int
    """Prompts on which the two replies score differently; nothing is said below 20."""
    better: int
    """Of these those on which the new arm's scores more."""
    effect: float | None
    lower: float | None
    upper: float | None
    p: float
    split: float | None
    """How many times as many prompts a split test needs for an interval as narrow."""
    verdict: Literal["better", "worse", "open", "too few"]


class ChangeResult(ControlReply):
    """A KPI with all switches on less that with all off."""

    effect: float | None
    lower: float | None
    upper: float | None
    p: float | None


class ContributionResult(ControlReply):
    """A Shapley value with its always-valid interval."""

    value: float
    lower: float | None
    upper: float | None


class SwitchesResult(ControlReply):
    """A change, and what each switch of a factorial has of it."""

    n: int
    """Units that it is reckoned from."""
    change: ChangeResult
    attributed: bool
    why: str
    """Why nothing is attributed."""
    shapley: dict[str, ContributionResult]
    sum: float | None
    """Of the contributions: the change."""
    players: list[str]


class KpiAttributionResult(SwitchesResult):
    """What each switch of a factorial contributed to a KPI's change."""

    kpi: str
    values: dict[str, tuple[float | None, float | None]]
    """Figure and standard error of each cell, by the switches that are on; with `players` what `attribute` reads."""


class ReplyAttributionResult(SwitchesResult):
    """What each switch of a factorial did to a metric of the reply alone, on copies of the same prompts."""

    metric: str
    prompts: int
    values: dict[str, float]
    """Mean of each coalition, by the switches that are on; with `players` what `attribute` reads."""


class PhaseResult(ControlReply):
    """A time in which nobody changed shares or versions."""

    number: int
    since: float | None
    shares: dict[str, float]
    units: dict[str, int]


class EffectLook(ControlReply):
    """The primary effect on all units exposed before `at` (seconds since the epoch)."""

    at: float
    units: int
    effect: float | None
    lower: float | None
    upper: float | None


class ExperimentResultsReply(ControlReply):
    """What an experiment counted, and what that decides."""

    id: str
    state: Literal["active", "stopped"]
    decision: Decided
    why: str
    arms: dict[str, ArmUnits]
    planned_units: int
    reached_units: int
    two_arms: int = 0
    """Units that came in a second arm of a phase: each counts for its first alone, up to that moment."""
    days: float | None
    """Since the first exposure."""
    max_days: float
    sample_ratio: SampleRatioResult
    comparisons: list[ArmComparison]
    paired: list[PairedResult] = Field(default_factory=list)
    """What both arms reply to the same prompts, by further arm; of arms that shadow traffic does not compare none."""
    outlook: list[str]
    """What would have to happen for the answer to change."""
    attribution: list[KpiAttributionResult] = Field(default_factory=list)
    """Of an experiment with switches that users are served by."""
    copies: list[ReplyAttributionResult] = Field(default_factory=list)
    """Of an experiment with `shadow.coalitions`: metrics of the reply alone."""
    phases: list[PhaseResult]
    business: dict[str, list[BusinessResult]]
    """By line of business; `all` is every one together."""
    contributions: list[LineContributionsResult] = Field(default_factory=list)
    """Of the lines of business to each KPI that is judged or in the business table."""
    looks: dict[str, list[EffectLook]]
    """The primary KPI of each further arm over time."""
