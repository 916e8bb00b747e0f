"""Guardrails: KPIs that must not get worse, and whether one did, from summaries that add. One language for all.

The two sides answer different requests, so differences are unpaired (Welch). A guardrail speaks only when the
difference is beyond its limit and clear of chance at `Z` standard errors; looking again and again at figures that
grow inflates the error, hence the large `Z`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from pydantic import BaseModel, ConfigDict, Field, model_validator

from ab.summary import Stat

Z = 3.0
"""Standard errors."""
Summaries = Mapping[str, Stat]
"""By KPI."""


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
    def words(self) -> str:
        """Its limit as in the file."""
        given = self.model_dump(include={"max_increase", "max_decrease", "max_ratio"}, exclude_none=True)
        return " ".join(f"{name} {value:g}" for name, value in given.items())

    def breach(self, new: Stat, old: Stat, baseline: str = "the baseline") -> str | None:
        """What `new` does clearly worse than `old`, in words that call `old` by `baseline`; None: nothing."""
        error = math.hypot(new.error, old.error)
        if self.max_ratio is not None:
            beyond = old.mean > 0 and new.mean - self.max_ratio * old.mean > Z * error
            limit = f", above {self.max_ratio:g} times"
        else:
            limit = " against"
            worse = new.mean - old.mean if self.max_increase is not None else old.mean - new.mean
            beyond = worse > (self.max_increase or self.max_decrease or 0.0) and worse > Z * error
        if not beyond:
            return None
        return f"{self.kpi} {new.mean:.3f}{limit} {old.mean:.3f} of {baseline} (n {new.n} and {old.n})"


def first_breach(
    guardrails: Iterable[Guardrail],
    new: Summaries,
    old: Summaries,
    min_samples: int = 2,
    baseline: str = "the baseline",
) -> str | None:
    """The first guardrail that is clearly broken, in words; one with fewer than `min_samples` on a side is silent."""
    for guardrail in guardrails:
        ours, theirs = new.get(guardrail.kpi, Stat()), old.get(guardrail.kpi, Stat())
        if min(ours.n, theirs.n) >= min_samples and (why := guardrail.breach(ours, theirs, baseline)):
            return why
    return None
