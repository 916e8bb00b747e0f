"""The offline gate: may a candidate take live traffic at all? A pure decision on an evaluation.

Parent and candidate answer the same prompts, so what decides is the lower bound of their paired differences.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from ab.paired import Bound, lower_bound
from deploy.engines.fingerprint import FINGERPRINT_FILE
from deploy.life.config import GateConfig


class JudgedPair(BaseModel):
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
    hard: tuple[JudgedPair, ...] = ()
    general: tuple[JudgedPair, ...] = ()
    summary: dict[str, Any] = Field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class GateDecision:
    """`passed` when `reasons` is empty; figures of both slices."""

    passed: bool
    reasons: tuple[str, ...]
    hard: Bound | None
    general: Bound | None

    def summary(self) -> dict[str, Any]:
        """As JSON, for the round's record."""
        slices = {name: _told(found) for name, found in (("hard", self.hard), ("general", self.general))}
        return {"passed": self.passed, "reasons": self.reasons, **slices}


def bound(pairs: tuple[JudgedPair, ...], alpha: float) -> Bound | None:
    """Of candidate less parent; None below two pairs."""
    return lower_bound([(pair.parent, pair.candidate) for pair in pairs], alpha)


def decide(evaluation: Evaluation, config: GateConfig, *, fingerprint: bool = True) -> GateDecision:
    """Pass only a candidate with finite weights and a fingerprint that is better on hard prompts and not
    worse than the margin on general ones."""
    hard, general = bound(evaluation.hard, config.alpha), bound(evaluation.general, config.alpha)
    reasons = []
    if not evaluation.candidate_finite:
        reasons.append("the candidate has weights that are not finite")
    if not fingerprint:
        reasons.append(f"the candidate has no {FINGERPRINT_FILE}, so no slot could verify it")
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


def _told(found: Bound | None) -> dict[str, float] | None:
    if found is None:
        return None
    return {
        "n": found.n, "parent": found.before, "candidate": found.after,
        "difference": found.difference, "lower": found.lower,
    }  # fmt: skip
