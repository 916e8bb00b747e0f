"""Guardrails: KPIs that must not get worse. One language for experiments and canaries; `ab.sequential` judges them."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict, Field, model_validator

TAILS: Mapping[str, str] = {"latency_p99": "latency", "ttft_p99": "ttft"}
"""KPIs whose `max_ratio`, live, asks if more than 1 % of requests take longer than it times a P99; and of what."""


class Guardrail(BaseModel):
    """A KPI that must not get worse: by an absolute increase or decrease, or by a ratio."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, str_max_length=512, use_attribute_docstrings=True
    )
    kpi: str
    """Its name."""
    max_increase: float | None = None
    """How far its mean may lie above the other's."""
    max_decrease: float | None = None
    """How far its mean may lie below the other's."""
    max_ratio: float | None = Field(default=None, gt=0)
    """How many times the other's it may be."""

    @model_validator(mode="after")
    def _one_limit(self) -> Guardrail:
        if [self.max_increase, self.max_decrease, self.max_ratio].count(None) != 2:
            raise ValueError("give exactly one of max_increase, max_decrease and max_ratio")
        return self

    @property
    def edge(self) -> float:
        """How much worse it may be; of a ratio, new less limit times old may not be above 0."""
        return self.max_increase or self.max_decrease or 0.0

    @property
    def of_tail(self) -> bool:
        """Whether it asks of the slowest requests, by a limit that is frozen when a phase begins."""
        return self.max_ratio is not None and self.kpi in TAILS

    @property
    def words(self) -> str:
        """Its limit as in the file."""
        given = self.model_dump(include={"max_increase", "max_decrease", "max_ratio"}, exclude_none=True)
        return " ".join(f"{name} {value:g}" for name, value in given.items())
