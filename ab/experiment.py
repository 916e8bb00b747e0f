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
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, str_max_length=512)


class When(_ExperimentPart):
    """Which requests take part; every condition given must hold."""

    alias: str | None = None
    tenant: str | None = None
    header: dict[str, str] = Field(default_factory=dict)


class Primary(_ExperimentPart):
    """The KPI that decides, and how. `covariate` names a KPI of the time before, which explains part of it (CUPED)."""

    kpi: str
    test: Literal["non_inferiority", "superiority", "two_sided", "equivalence"] = "two_sided"
    margin: float = Field(default=0.0, ge=0)
    better: Better | None = None
    covariate: str | None = None

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
    planned_units: int = Field(default=10_000, gt=0)
    max_days: float = Field(default=14, gt=0)


class ShadowRate(_ExperimentPart):
    """Share of the experiment's exchanges that are replayed on the other arm."""

    rate: float = Field(default=0.2, ge=0, le=1)


class Experiment(_ExperimentPart):
    """One experiment, as in its file. `seed` of the hash defaults to the id."""

    id: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")
    seed: str = ""
    unit: Unit = "user"
    arms: dict[Arm, float]
    when: When = When()
    primary: Primary | None = None
    secondary: tuple[Primary, ...] = ()
    guardrails: tuple[Guardrail, ...] = ()
    stop: Stop = Stop()
    shadow: ShadowRate = ShadowRate()

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
