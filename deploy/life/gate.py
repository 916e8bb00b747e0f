"""The offline gate: may a candidate take live traffic at all? A pure decision on an evaluation.

Parent and candidate answer the same prompts, so the differences are one sample: its mean, with a one-sided lower
bound by the normal approximation (Student's t would make it 1 % wider at 100 prompts).
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from statistics import NormalDist, fmean
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from deploy.life.config import GateConfig


class Pair(BaseModel):
    """One held-out prompt: agreement of the parent and of the candidate with the teacher, in [0, 1]."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    id: str = ""
    parent: float
    candidate: float


class Evaluation(BaseModel):
    """What the trainer leaves in `rounds/N/evaluate/evaluation.json`."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    schema_version: Literal[1] = 1
    candidate_finite: bool
    """Whether every weight is a finite number."""
    hard: tuple[Pair, ...] = ()
    general: tuple[Pair, ...] = ()
    summary: dict[str, Any] = Field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Bound:
    """A mean difference (candidate less parent) over `n` prompts and its one-sided lower bound."""

    n: int
    parent: float
    candidate: float
    difference: float
    lower: float


@dataclass(frozen=True, slots=True)
class GateDecision:
    """`passed` when `reasons` is empty; figures of both slices."""

    passed: bool
    reasons: tuple[str, ...]
    hard: Bound | None
    general: Bound | None

    def summary(self) -> dict[str, Any]:
        """As JSON, for the round's record."""
        return asdict(self)


def bound(pairs: tuple[Pair, ...], alpha: float) -> Bound | None:
    """Mean paired difference and its lower `1 - alpha` bound; None below two pairs."""
    if len(pairs) < 2:
        return None
    differences = [pair.candidate - pair.parent for pair in pairs]
    mean = fmean(differences)
    spread = sum((d - mean) ** 2 for d in differences) / (len(differences) - 1)  # `stdev` raises on NaN
    error = math.sqrt(spread / len(differences))
    return Bound(
        n=len(pairs),
        parent=fmean(pair.parent for pair in pairs),
        candidate=fmean(pair.candidate for pair in pairs),
        difference=mean,
        lower=mean - NormalDist().inv_cdf(1 - alpha) * error,
    )


def decide(evaluation: Evaluation, config: GateConfig, *, fingerprint: bool = True) -> GateDecision:
    """Pass only a candidate with finite weights and a fingerprint that is better on hard prompts and not
    worse than the margin on general ones."""
    hard, general = bound(evaluation.hard, config.alpha), bound(evaluation.general, config.alpha)
    reasons = []
    if not evaluation.candidate_finite:
        reasons.append("the candidate has weights that are not finite")
    if not fingerprint:
        reasons.append("the candidate has no fingerprint.json, so no slot could verify it")
    reasons += _too_few("hard", hard, config) + _too_few("general", general, config)
    # A comparison with NaN is false, so each condition is put the way that lets NaN fail it.
    if hard is not None and not hard.lower > config.hard_min_improvement:
        reasons.append(f"hard prompts: lower bound {hard.lower:+.4f} not above {config.hard_min_improvement:+.4f}")
    if general is not None and not general.lower > -config.general_margin:
        reasons.append(f"general prompts: lower bound {general.lower:+.4f} not above {-config.general_margin:+.4f}")
    return GateDecision(not reasons, tuple(reasons), hard, general)


def _too_few(name: str, found: Bound | None, config: GateConfig) -> list[str]:
    n = 0 if found is None else found.n
    return [] if n >= config.min_prompts else [f"{n} held-out {name} prompts, fewer than {config.min_prompts}"]
