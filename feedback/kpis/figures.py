"""The KPIs as they are read: figures of sums over distinct users, each with an interval.

A user's part of a group is a row of cells, such as requests and clicks. A figure is a function of the cells' totals
over users that does not change when all of them double (a ratio, a coefficient of variation), so its error comes
from the users' rows by the delta method (Deng, Knoblich and Lu, 2018, "Applying the Delta Method in Metric Analytics",
arXiv:1803.06336): requests of one user are not taken for independent. The rows themselves are not needed, only the
sums of products of their cells, which add. Pure.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from feedback.kpis.config import KpisConfig
from feedback.kpis.names import FEEDBACK

Z = 1.959964
"""Standard errors of a 95 % interval."""
Sums = Mapping[str, float]
"""Of a group: `users`, each cell, `cell#` (users who have it above 0), `a*b` (sum over users of products)."""
Value = Callable[[tuple[float, ...]], tuple[float, tuple[float, ...]] | None]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure and its 95 % interval at a fixed time; `users`: those who have part in it. None: too few to say."""

    value: float
    lower: float | None
    upper: float | None
    users: int


@dataclass(frozen=True, slots=True)
class Figure:
    """What a KPI is: its value and gradient from the totals of `cells`; `basis` is the cell of those who have part."""

    cells: tuple[str, ...]
    value: Value
    basis: str
    least: float = 0.0
    """Below which it cannot be."""

    def estimate(self, sums: Sums) -> Estimate | None:
        """Of a group's sums; None where nobody has part in it."""
        totals = tuple(sums.get(cell, 0.0) for cell in self.cells)
        found = self.value(totals) if sums.get(self.basis, 0.0) > 0 else None
        if found is None:
            return None
        value, gradient = found
        users = round(sums.get(f"{self.basis}#", 0.0))
        if users < 2:
            return Estimate(value, None, None, users)
        squares = sum(
            one * other * sums.get(product(a, b), 0.0)
            for a, one in zip(self.cells, gradient, strict=True)
            for b, other in zip(self.cells, gradient, strict=True)
        )
        half = Z * math.sqrt(max(0.0, squares) * users / (users - 1))
        return Estimate(value, max(self.least, value - half), value + half, users)


def product(a: str, b: str) -> str:
    """Name of the sum of products of two cells."""
    return f"{min(a, b)}*{max(a, b)}"


def _ratio(totals: tuple[float, ...]) -> tuple[float, tuple[float, ...]] | None:
    above, below = totals
    return None if below <= 0 else (above / below, (1 / below, -above / below**2))


def _variation(totals: tuple[float, ...]) -> tuple[float, tuple[float, ...]] | None:
    """Coefficient of variation of values of which there are n, with sum s and sum of squares q."""
    n, s, q = totals
    if n <= 0 or s <= 0:
        return None
    squared = n * q / s**2 - 1
    if squared <= 1e-12:
        return 0.0, (0.0, 0.0, 0.0)
    value = math.sqrt(squared)
    return value, (q / s**2 / (2 * value), -n * q / s**3 / value, n / s**2 / (2 * value))


def _share(above: str, below: str, least: float = 0.0) -> Figure:
    return Figure((above, below), _ratio, below, least)


SEVEN: Mapping[str, Figure] = {
    "click_through_rate": _share("click.s", "replies"),
    "human_review_pass_rate": _share("human_review_pass.s", "human_review_pass.n"),
    "latency_volatility": Figure(("replies", "latency", "latency2"), _variation, "replies"),
    "abnormal_termination_rate": _share("abnormal", "requests"),
    "session_turns": _share("requests", "sessions"),
    "human_takeover_rate": _share("takeover.s", "sessions"),
    "first_response_accuracy": _share("first_response_correct.s", "first_response_correct.n"),
}
"""The seven operational KPIs: clicks a reply, reviews passed, standard deviation of latency over its mean, requests
that ended abnormally, requests a session, takeovers a session, first responses that were right."""


def figures(config: KpisConfig) -> dict[str, Figure]:
    """The seven, and the mean of every other value that applications send."""
    means = (*(name for name in FEEDBACK if name in ("rating",)), *config.declared)
    return {**SEVEN, **{name: _share(f"{name}.s", f"{name}.n", -math.inf) for name in means if name not in SEVEN}}


def pairs(config: KpisConfig) -> list[tuple[str, str]]:
    """Cells whose products must be summed for the figures."""
    found = {(min(a, b), max(a, b)) for figure in figures(config).values() for a in figure.cells for b in figure.cells}
    return sorted(found)


def estimates(wanted: Mapping[str, Figure], sums: Sums) -> dict[str, Estimate]:
    """Every figure that the sums of a group allow."""
    found = {name: figure.estimate(sums) for name, figure in wanted.items()}
    return {name: one for name, one in found.items() if one is not None}


def added(parts: Iterable[Sums]) -> dict[str, float]:
    """The sums of several cohorts of a group: they add, since no user is in two."""
    total: dict[str, float] = {}
    for part in parts:
        for name, value in part.items():
            total[name] = total.get(name, 0.0) + value
    return total
