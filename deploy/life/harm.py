"""What counts as harm of a canary: the rollout's keys as guardrails, judged on live traffic."""

from __future__ import annotations

from ab.guardrails import Guardrail, Summaries, first_breach
from deploy.life.config import RolloutConfig

ABNORMAL, SIMILARITY, LATENCY = "abnormal_termination", "similarity", "latency"


def guardrails(config: RolloutConfig) -> tuple[Guardrail, ...]:
    """The limits of a rollout, in the order in which they speak."""
    return (
        Guardrail(kpi=ABNORMAL, max_increase=config.max_abnormal_increase),
        Guardrail(kpi=SIMILARITY, max_decrease=config.similarity_margin),
        Guardrail(kpi=LATENCY, max_ratio=config.max_latency_ratio),
    )


def harm(candidate: Summaries, stable: Summaries, config: RolloutConfig) -> str | None:
    """What the candidate does worse than the stable version, in words; None when nothing is clear."""
    return first_breach(guardrails(config), candidate, stable, config.min_samples, "the stable version")


def exposures(candidate: Summaries) -> int:
    """Live replies of a version: every one is counted as ended well or abnormally."""
    return max((candidate[kpi].n for kpi in (ABNORMAL, LATENCY) if kpi in candidate), default=0)
