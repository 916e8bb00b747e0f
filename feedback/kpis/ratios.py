"""KPIs as experiments judge them: ratios of two cells of a user's row, from the sums over distinct users. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from ab.experiment import Experiment, ExperimentLayer
from ab.guardrails import TAILS
from ab.sequential.effects import Side, raw_moments
from feedback.kpis.config import KpisConfig
from feedback.kpis.figures import Sums, product
from feedback.kpis.names import FEEDBACK

BEFORE = ("", "#", "^2", "*above", "#*above", "*below", "#*below")
"""What the names of a KPI's sums with a covariate end in, in the order of `raw_moments`; see `rows.lua`."""


@dataclass(frozen=True, slots=True)
class CellRatio:
    """Sum of `above` over sum of `below`; without `below` a user's own sum. `binary`: each occasion is a yes or no."""

    above: str
    below: str | None
    binary: bool = True

    @property
    def missed(self) -> str:
        """Name of the count of users of whom some occasion was a no."""
        return f"{self.above}<{self.below}#"


RATIOS: Mapping[str, CellRatio] = {
    "requests": CellRatio("requests", None, False),
    "session_turns": CellRatio("requests", "sessions", False),
    "abnormal_termination": CellRatio("abnormal", "requests"),
    "latency": CellRatio("latency", "replies", False),
    "click": CellRatio("click.s", "replies"),
    "takeover": CellRatio("takeover.s", "sessions"),
    "session_end": CellRatio("session_end.s", "sessions"),
    "flagged": CellRatio("flagged", "requests"),
    "degraded_replies": CellRatio("prebuilt", "requests"),
}
"""Requests a user, requests a session, requests that ended abnormally, seconds a reply, clicks a reply, takeovers and
ends a session, requests of which nothing is learned, those that got the degraded reply (which only an experiment with
the guard among its switches counts). Every other value that applications send is a mean of what was sent."""


def ratios(config: KpisConfig) -> dict[str, CellRatio]:
    """Every KPI by which an experiment can be judged over distinct users."""
    sent = {name: CellRatio(f"{name}.s", f"{name}.n", name != "rating") for name in FEEDBACK}
    declared = {name: CellRatio(f"{name}.s", f"{name}.n", False) for name in config.declared}
    return {**sent, **declared, **RATIOS}


def adjusted(kpi: str, covariate: str | None) -> str:
    """Name of the sums of a KPI and what its users did before, see `rows.lua`; empty without a covariate."""
    return f"{kpi}~{covariate}" if covariate else ""


def figureless(experiment: Experiment, known: Collection[str]) -> Iterator[str]:
    """Why no result could come of an experiment: KPIs that it is to be judged by and that no user has by himself."""
    judged = [one.kpi for one in (experiment.primary, *experiment.secondary) if one is not None]
    for kpi in (*judged, *(rail.kpi for rail in experiment.guardrails if not rail.of_tail)):
        if kpi not in known:
            instead = f"; a guardrail on it takes `max_ratio`, such as {{kpi: {kpi}, max_ratio: 1.3}}"
            yield f"no user has a {kpi} of his own to be judged by{instead if kpi in TAILS else ''}"


def tails(layer: ExperimentLayer) -> dict[str, CellRatio]:
    """By KPI of a latency guardrail: requests slower than a phase's limit, of those that were timed against it.

    A request can count for one experiment of each layer, and each has limits of its own.
    """
    return {kpi: CellRatio(f"slow.{of}.{layer}", f"timed.{of}.{layer}") for kpi, of in TAILS.items()}


def products(wanted: Iterable[CellRatio]) -> set[tuple[str, str]]:
    """Cells whose products must be summed for these ratios."""
    return {
        (min(a, b), max(a, b))
        for one in wanted
        for a in (one.above, one.below or one.above)
        for b in (one.above, one.below or one.above)
    }


def side(sums: Sums, ratio: CellRatio, before: str = "") -> Side:
    """A group's users who have part in the ratio; none where nobody has. `before`: name of KPI and covariate."""
    a, b = ratio.above, ratio.below
    n = round(sums.get("users" if b is None else f"{b}#", 0.0))
    if n < 1:
        return Side()
    above, below = sums.get(a, 0.0), float(n) if b is None else sums.get(b, 0.0)
    squared = sums.get(product(a, a), 0.0)
    together, under = (above, float(n)) if b is None else (sums.get(product(a, b), 0.0), sums.get(product(b, b), 0.0))
    past = [sums.get(before + name, 0.0) if before else 0.0 for name in BEFORE]
    moments = raw_moments(n, (above, below), (squared, together, under), past)
    return Side(moments, round(sums.get(f"{a}#", 0.0)), round(sums.get(ratio.missed, 0.0)), ratio.binary)
