"""A canary's figures over distinct users: which side and phase an event counts for, and the arms that come of it.

A rollout divides users by chance into those of the candidate (`new`) and the others (`old`). Each of its steps is a
phase; what shadow copies of the teacher's exchanges say is a phase of its own beside it, since they are divided in
other shares. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ab.sequential.effects import Side
from feedback.events import Exchange, Verdict
from feedback.kpis.config import KpisConfig
from feedback.kpis.figures import Sums
from feedback.kpis.names import NEW, OLD
from feedback.kpis.ratios import CellRatio, ratios, side

Phases = Mapping[str, Mapping[str, Sums]]
"""{phase: {side: sums over its users}}."""


TRIED: Mapping[str, CellRatio] = {
    "error_rate": CellRatio("errors", "requests"),
    "degraded": CellRatio("degraded", "requests"),
    "latency_p99": CellRatio("slow", "timed"),
    "failed_checks": CellRatio("failed", "pairs"),
    "exact": CellRatio("exact", "pairs"),
    "facts": CellRatio("facts", "pairs"),
    "similarity": CellRatio("similar", "pairs", binary=False),
}
"""What a canary alone is judged by. Errors are replies of 500 and above; degraded are those that another version gave
than the one meant; slow those beyond a threshold."""


def judged(config: KpisConfig) -> dict[str, CellRatio]:
    """Every KPI that a canary can be judged by: those of experiments beside its own."""
    return {**ratios(config), **TRIED}


def live_cells(exchange: Exchange) -> dict[str, float]:
    """What an exchange adds to its user's row for the canary alone."""
    if exchange.rollout is None:
        return {}
    found = {"errors": float(exchange.status >= 500), "degraded": float(exchange.fell_back)}
    if exchange.slow_after is not None and exchange.status == 200:
        found |= {"timed": 1.0, "slow": float(exchange.seconds > exchange.slow_after)}
    return found


def pair_cells(verdict: Verdict) -> dict[str, float]:
    """What a shadow pair adds to its user's row for the canary."""
    return {
        "pairs": 1.0, "failed": float(bool(verdict.failed)), "exact": float(bool(verdict.exact)),
        "facts": float(bool(verdict.facts)), "similar": verdict.similarity,
    }  # fmt: skip


def arms(phases: Phases, wanted: Mapping[str, CellRatio], kpis: Iterable[str]) -> dict[str, list[tuple[Side, Side]]]:
    """{kpi: [(stable's users, the candidate's)]} by phase, of the KPIs asked for."""
    sides = [(found.get(OLD, {}), found.get(NEW, {})) for _, found in sorted(phases.items())]
    return {kpi: [(side(old, wanted[kpi]), side(new, wanted[kpi])) for old, new in sides] for kpi in kpis}
