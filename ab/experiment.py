"""The experiment file: arms, traffic, units, KPIs and the stopping rule, validated."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
    model_serializer,
    model_validator,
)

from ab import switches as factorial
from ab.guardrails import Guardrail
from ab.switches import Switch

Arm = Literal["teacher", "student"]
"""Who can answer."""
ExperimentLayer = Literal["arm", "observe"]
"""`arm` decides who answers; `observe` changes nothing, for A/A tests."""
Unit = Literal["user", "session", "request"]
Better = Literal["higher", "lower"]
LOWER = ("abnormal_termination", "takeover", "latency", "ttft", "flagged", "degraded_replies")
"""First words of the names of KPIs of which less is better."""
BEFORE = "_before"
"""Behind the name of a KPI: what a unit's own was before its first exposure in the experiment."""
NAME = r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}"
SERVES = re.compile(rf"teacher|student|stable|candidate|student:{NAME}")
"""What an arm can serve: the teacher, the live student (with a candidate's share of it, or `stable`, without), one
version of it, the candidate."""


class _ExperimentPart(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, str_max_length=512, use_attribute_docstrings=True
    )


class When(_ExperimentPart):
    """Which requests take part; every condition given must hold."""

    alias: str | None = None
    """Requests for this alias."""
    tenant: str | None = None
    """Requests of this tenant."""
    header: dict[str, str] = Field(default_factory=dict)
    """Requests with these headers."""


class Primary(_ExperimentPart):
    """The KPI that decides, and how. `covariate` names a KPI of the time before, which explains part of it (CUPED)."""

    kpi: str
    """Its name."""
    test: Literal["non_inferiority", "superiority", "two_sided", "equivalence"] = "two_sided"
    """What is to be shown."""
    margin: float = Field(default=0.0, ge=0)
    """In units of the KPI: how much worse still counts as as good, or how much better is wanted."""
    better: Better | None = None
    """Which way is better; without it the name of the KPI says."""
    covariate: str | None = None
    """Of each unit, from the time before: `click_before` is what its `click` was before its first exposure, which
    running experiments keep of any KPI that is counted by user; rows for `analyse` have a column of that name."""

    @model_validator(mode="after")
    def _a_margin_where_one_is_needed(self) -> Primary:
        if self.test in ("non_inferiority", "equivalence") and not self.margin:
            raise ValueError(f"{self.test} needs a margin above 0")
        return self

    @property
    def direction(self) -> Better:
        """What is better; by the KPI's name where the file does not say."""
        return self.better or ("lower" if self.kpi.startswith(LOWER) else "higher")

    @property
    def beyond(self) -> float:
        """What the effect must exceed, in the better direction, to be proven superior."""
        return self.margin if self.test == "superiority" else 0.0


class Stop(_ExperimentPart):
    """When to stop: error level, planned units over all arms, longest duration in days."""

    alpha: float = Field(default=0.05, gt=0, lt=1)
    """Error level."""
    planned_units: int = Field(default=10_000, gt=0)
    """Over all arms."""
    max_days: float = Field(default=14, gt=0)
    """Longest duration."""


class ShadowRate(_ExperimentPart):
    """Share of the experiment's exchanges that are replayed on the other arm."""

    rate: float = Field(default=0.2, ge=0, le=1)
    """Share of its exchanges."""
    coalitions: float = Field(default=0.0, ge=0, le=1)
    """With switches: share of its copies on which everybody who answers in some cell is asked; 0: none.

    It values what the switches do to the reply alone, and nobody is served another one for it.
    """


class ArmShare(_ExperimentPart):
    """An arm: its share of the units, and what it serves. In a file a number alone is the share."""

    share: float = Field(ge=0, le=1)
    """Of the units."""
    serve: str = ""
    """teacher, student (the live one), stable (that, and never a candidate), student:VERSION or candidate; default: the
    arm's name."""

    @model_validator(mode="before")
    @classmethod
    def _number_alone(cls, value: Any) -> Any:
        return {"share": value} if isinstance(value, int | float) and not isinstance(value, bool) else value

    @field_validator("serve")
    @classmethod
    def _something_to_serve(cls, serve: str) -> str:
        if serve and not SERVES.fullmatch(serve):
            raise ValueError("an arm serves teacher, student, stable, student:VERSION or candidate")
        return serve

    @model_serializer
    def _as_in_the_file(self) -> float | dict[str, Any]:
        return {"share": self.share, "serve": self.serve} if self.serve else self.share


class RampStep(_ExperimentPart):
    """Shares that hold from a time on."""

    hours: float = Field(gt=0, le=24 * 366)
    """After the experiment began."""
    arms: dict[str, float]
    """Share of each arm from then on."""


class Experiment(_ExperimentPart):
    """One experiment, as in its file. `seed` of the hash defaults to the id."""

    id: str = Field(pattern=rf"^{NAME}$")
    """Its name."""
    seed: str = ""
    """Of the assignment hash; empty: the id."""
    unit: Unit = "user"
    """What stays on one arm."""
    layer: ExperimentLayer = "arm"
    """What it changes. Experiments of different layers hold at once, and are independent."""
    namespace: tuple[float, float] = (0.0, 1.0)
    """The part of its layer's units that it may take, from and below; default: all."""
    switches: dict[Switch, float] = Field(default_factory=dict)
    """In the place of arms: serving switches, each with the share of the units that have it on, by a hash of its own.

    Every crossing of them is an arm, so that a change can be attributed to its switches.
    """
    arms: dict[str, ArmShare]
    """Share of each arm; together 1. Their order is part of the assignment."""
    when: When = When()
    """Which requests take part."""
    holdout: float = Field(default=0.0, ge=0, lt=1)
    """Share of units that take no part: the same units in every experiment that holds some out."""
    force: dict[str, str] = Field(default_factory=dict)
    """Testers: units with the arm that each is given, whatever else holds; they count for nothing."""
    ramp: tuple[RampStep, ...] = ()
    """Other shares later on, in the order of time."""
    primary: Primary | None = None
    """The KPI that decides."""
    secondary: tuple[Primary, ...] = ()
    """KPIs that are judged beside it and do not decide."""
    guardrails: tuple[Guardrail, ...] = ()
    """KPIs that must not get worse."""
    stop: Stop = Stop()
    """When it ends."""
    shadow: ShadowRate = ShadowRate()
    """How much of it is replayed on the other arm."""

    @model_validator(mode="after")
    def _switches_to_value(self) -> Experiment:
        if self.shadow.coalitions and not self.switches:
            raise ValueError("`shadow.coalitions` values switches: name them in `switches`")
        if self.shadow.coalitions and not factorial.of_reply(self.switches):
            raise ValueError("`shadow.coalitions` values switches of the reply: add `routing` or `candidate`")
        if self.layer == "observe" and factorial.GUARD in self.switches:
            raise ValueError(
                "in the layer `observe` switches are valued on copies alone, and what the guard flags is never copied: "
                "take `guard` out, or the layer `arm`"
            )
        if self.switches and self.layer == "observe" and not self.shadow.coalitions:
            raise ValueError(
                "in the layer `observe` switches are valued on copies alone: give `shadow: {coalitions: 0.1}`, or the "
                "layer `arm`, where they say who answers"
            )
        return self

    @model_validator(mode="before")
    @classmethod
    def _crossed(cls, value: Any) -> Any:
        if not isinstance(value, dict) or not isinstance(value.get("switches"), dict) or value.get("arms"):
            return value
        given = {name: share for name, share in value["switches"].items() if isinstance(share, int | float)}
        return {**value, "arms": _arms_of(given)} if given else value

    @field_validator("switches")
    @classmethod
    def _switched(cls, given: dict[Switch, float]) -> dict[Switch, float]:
        if len(given) > factorial.MOST:
            raise ValueError(f"takes {factorial.MOST} switches at most")
        if not all(0 < share < 1 for share in given.values()):
            raise ValueError("each switch takes the share of units that have it on, between 0 and 1, such as 0.5")
        return given

    @field_validator("namespace")
    @classmethod
    def _a_range(cls, given: tuple[float, float]) -> tuple[float, float]:
        if not 0 <= given[0] < given[1] <= 1:
            raise ValueError("give a range within 0 and 1, such as [0, 0.4]")
        return given

    @field_validator("arms")
    @classmethod
    def _arms(cls, arms: dict[str, ArmShare], info: ValidationInfo) -> dict[str, ArmShare]:
        if not arms:
            raise ValueError("needs at least one arm")
        _adds_up({name: arm.share for name, arm in arms.items()})
        layer = info.data.get("layer")
        if switches := info.data.get("switches"):
            if list(arms.items()) != list(_arms_of(switches).items()):
                raise ValueError("`switches` stand in the place of arms: leave `arms` out")
            return arms
        for name, arm in arms.items():
            if not re.fullmatch(rf"{NAME}(:{NAME})?", name):
                raise ValueError(f"{name!r} is no name of an arm; use letters, digits, dot, dash and underscore")
            if layer == "arm" and not arm.serve and not SERVES.fullmatch(name):
                raise ValueError(f"{name!r} says not what it serves: give {{share: {arm.share:g}, serve: student}}")
            if layer == "observe" and arm.serve:
                raise ValueError(f"{name!r} serves something, and the layer `observe` changes nothing: give the share")
        return arms

    @field_validator("force")
    @classmethod
    def _known_arms(cls, force: dict[str, str], info: ValidationInfo) -> dict[str, str]:
        arms = info.data.get("arms", {})
        for unit, arm in force.items():
            if arms and arm not in arms:
                raise ValueError(f"{unit!r} is forced to {arm!r}, which is no arm; the arms are {', '.join(arms)}")
        return force

    @field_validator("ramp")
    @classmethod
    def _in_order(cls, ramp: tuple[RampStep, ...], info: ValidationInfo) -> tuple[RampStep, ...]:
        arms = info.data.get("arms", {})
        if ramp and info.data.get("switches"):
            raise ValueError("switches have no ramp: apply the file again with other shares")
        for step, former in zip(ramp, (None, *ramp), strict=False):
            _adds_up(step.arms)
            if arms and step.arms.keys() != arms.keys():
                raise ValueError(f"each step needs a share of each arm: {', '.join(arms)}")
            if former is not None and step.hours <= former.hours:
                raise ValueError("steps must be in the order of time")
        return ramp

    @property
    def hash_seed(self) -> str:
        """Seed of the assignment hash."""
        return self.seed or self.id

    @property
    def shares(self) -> dict[str, float]:
        """Share of each arm, as at the beginning."""
        return {name: arm.share for name, arm in self.arms.items()}

    @property
    def serves(self) -> dict[str, str]:
        """What each arm serves; nothing in a layer that does not say who answers."""
        return {name: self.serve(name) for name in self.arms} if self.says_who else {}

    @property
    def says_who(self) -> bool:
        """Whether its arms say who answers; a layer that changes nothing does not, nor does the guard alone."""
        return self.layer == "arm" and (not self.switches or bool(factorial.of_reply(self.switches)))

    def serve(self, arm: str) -> str:
        """What one of the arms serves, where they say who answers."""
        return self.arms[arm].serve or arm

    def guarded(self, arm: str) -> bool | None:
        """Whether the guard is on for the units of an arm; None where the guard is no switch."""
        return factorial.GUARD in factorial.members(arm) if factorial.GUARD in self.switches else None

    def shares_after(self, hours: float) -> dict[str, float]:
        """Shares when it has run for so long."""
        over = [step.arms for step in self.ramp if step.hours <= hours]
        return {name: over[-1][name] for name in self.arms} if over else self.shares

    @property
    def adjusted(self) -> tuple[tuple[str, str], ...]:
        """Each KPI that has a covariate, with it."""
        judged = self.secondary if self.primary is None else (self.primary, *self.secondary)
        return tuple((one.kpi, one.covariate) for one in judged if one.covariate)

    @property
    def covariates(self) -> list[str]:
        """KPIs of the time before that its file names."""
        return list(dict.fromkeys(covariate for _, covariate in self.adjusted))

    @property
    def frozen(self) -> tuple[tuple[str, str], ...]:
        """Each KPI with its covariate, where that is kept of a running experiment's units."""
        return tuple(pair for pair in self.adjusted if pair[1].endswith(BEFORE))

    def live(self, counted: Collection[str]) -> Experiment:
        """The same, without covariates that are not kept of its units, of which `counted` are the KPIs."""

        def kept(one: Primary) -> Primary:
            known = one.covariate in {f"{kpi}{BEFORE}" for kpi in counted}
            return one if known else one.model_copy(update={"covariate": None})

        return self.model_copy(update={
            "primary": self.primary and kept(self.primary), "secondary": tuple(map(kept, self.secondary)),
        })  # fmt: skip

    @property
    def kpis(self) -> list[str]:
        """Names of the KPIs that the file uses."""
        judged = self.secondary if self.primary is None else (self.primary, *self.secondary)
        return [part.kpi for part in judged] + [guardrail.kpi for guardrail in self.guardrails]


def _arms_of(switches: dict[Switch, float]) -> dict[str, ArmShare]:
    """The cells of a factorial as arms."""
    return {
        name: ArmShare(share=share, serve=factorial.serves(name, switches))
        for name, share in factorial.cells({str(switch): share for switch, share in switches.items()}).items()
    }


def _adds_up(shares: dict[str, float]) -> None:
    if any(share < 0 for share in shares.values()):
        raise ValueError("needs no negative share")
    if abs(sum(shares.values()) - 1) > 1e-6:
        raise ValueError(f"shares must add up to 1, these add up to {sum(shares.values()):g}")
