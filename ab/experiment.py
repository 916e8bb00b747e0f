"""The experiment file: arms, traffic, units, KPIs and the stopping rule, validated."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from ab.guardrails import Guardrail

Arm = Literal["teacher", "student"]
Unit = Literal["user", "session", "request"]
Better = Literal["higher", "lower"]
LOWER = ("abnormal_termination", "takeover", "latency", "ttft")
"""First words of the names of KPIs of which less is better."""


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
    """A KPI of the time before the experiment."""

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


class Experiment(_ExperimentPart):
    """One experiment, as in its file. `seed` of the hash defaults to the id."""

    id: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")
    """Its name."""
    seed: str = ""
    """Of the assignment hash; empty: the id."""
    unit: Unit = "user"
    """What stays on one arm."""
    arms: dict[Arm, float]
    """Share of each arm; together 1. Their order is part of the assignment."""
    when: When = When()
    """Which requests take part."""
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

    @field_validator("arms")
    @classmethod
    def _shares(cls, arms: dict[Arm, float]) -> dict[Arm, float]:
        if not arms or any(share < 0 for share in arms.values()):
            raise ValueError("needs at least one arm, and no negative share")
        if abs(sum(arms.values()) - 1) > 1e-6:
            raise ValueError(f"shares must add up to 1, these add up to {sum(arms.values()):g}")
        return arms

    @property
    def hash_seed(self) -> str:
        """Seed of the assignment hash."""
        return self.seed or self.id

    @property
    def kpis(self) -> list[str]:
        """Names of the KPIs that the file uses."""
        judged = self.secondary if self.primary is None else (self.primary, *self.secondary)
        return [part.kpi for part in judged] + [guardrail.kpi for guardrail in self.guardrails]
