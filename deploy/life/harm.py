"""What counts as harm of a canary: guardrails over distinct users, step by step; `Evidence` says what users did."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

from ab.guardrails import Guardrail
from ab.sequential.rollout import TwoArms, Watched, watched
from deploy.life.config import RolloutConfig
from feedback.kpis.config import KpisConfig
from feedback.kpis.names import NEW
from feedback.kpis.trials import Phases, arms, judged
from understudy.errors import ConfigError


class Evidence(Protocol):
    """Where the figures of a canary come from."""

    def trial(self, candidate: str) -> Phases | None:
        """What its users and the stable version's did, by step; None while it cannot be had."""
        ...

    def p99(self, version: str, of: str = "latency") -> float | None:
        """Seconds within which 99 of 100 replies of a version came, or their first bytes (`ttft`); None: not known."""
        ...


class NoEvidence:
    """For a controller without a place that holds figures."""

    def trial(self, candidate: str) -> Phases | None:
        """None."""
        return None

    def p99(self, version: str, of: str = "latency") -> float | None:
        """None."""
        return None


def check(config: RolloutConfig, kpis: KpisConfig) -> None:
    """Refuse guardrails on KPIs that nobody counts.

    Raises:
        ConfigError: there is one.
    """
    for problem in unknown(config, kpis):
        raise ConfigError(problem, param="rollout.guardrails")


def unknown(config: RolloutConfig, kpis: KpisConfig) -> Iterator[str]:
    """A sentence for each guardrail on a KPI that nobody counts."""
    known = judged(kpis)
    for rail in config.guardrails:
        if rail.kpi not in known:
            names = ", ".join(sorted(known))
            yield f"`rollout.guardrails` names the kpi {rail.kpi!r}, which no canary counts: {names}"


def both_arms(phases: Phases, rails: Sequence[Guardrail], kpis: KpisConfig) -> Mapping[str, Sequence[TwoArms]]:
    """Users of both versions by KPI and step."""
    return arms(phases, judged(kpis), [rail.kpi for rail in rails])


def findings(phases: Phases, config: RolloutConfig, kpis: KpisConfig) -> tuple[Watched, ...]:
    """What every guardrail says now."""
    return watched(config.guardrails, both_arms(phases, config.guardrails, kpis))


def exposures(phases: Phases, step: int) -> int:
    """Requests of the candidate's users in one step."""
    return round(phases.get(str(step), {}).get(NEW, {}).get("requests", 0.0))


def told(found: Sequence[Watched]) -> dict[str, dict[str, Any]]:
    """By KPI, for records and views: both figures, how much worse, between what bounds, users of both, verdict."""
    return {one.finding.kpi: _told(one) for one in found}


def _told(one: Watched) -> dict[str, Any]:
    numbers = {
        "stable": one.effect.old, "candidate": one.effect.new, "worse": one.finding.worse,
        "lower": one.finding.lower, "upper": one.finding.upper,
    }  # fmt: skip
    return {
        **{name: round(x, 6) if math.isfinite(x) else None for name, x in numbers.items()},
        "users": list(one.users), "limit": one.finding.limit, "verdict": one.finding.verdict,
    }  # fmt: skip
