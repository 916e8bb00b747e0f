"""The difference of a KPI between two arms, over distinct units, with its standard error. Pure.

Every KPI is a ratio: the sum of numerators over the sum of denominators of its units, a plain figure of one row being
x / 1. The ratio is linearised by unit (delta method; Deng, Knoblich and Lu, KDD 2018, "Applying the delta method in
metric analytics"), so that several rows of one user are one observation and never taken for independent ones. With
denominators of 1 this is the mean with its unpooled variance, ddof 1.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from ab.sequential.moments import Moments, Vector

FIGURES = 4
"""Of each unit: numerator, denominator, covariate, and whether it has one (1 or 0)."""
OUTCOMES = 20
"""Units with and without a yes-or-no outcome that each arm needs before the asymptotics are believed."""
UNITS = 500
"""The same for any other KPI."""
ROUNDING = 1e-12
"""Of a figure's mean square: a variance below it is what rounding leaves."""


@dataclass(frozen=True, slots=True)
class UnitFigure:
    """One unit's sums: numerator, denominator (rows of a plain figure), covariate; whether all its rows say 0 or 1.

    `covariate`: None of a unit of which nothing is known from the time before.
    """

    numerator: float
    denominator: float
    covariate: float | None = None
    binary: bool = False


def raw_moments(
    n: int, sums: Sequence[float], products: Sequence[float], before: Sequence[float] = (0.0,) * 7
) -> Moments:
    """Of `n` units, at least 1, from sums of numerator a and denominator b, and of aa, ab and bb.

    `before`, of those that have a covariate x: sum of x, how many they are, sums of xx, ax, a, bx and b.
    """
    (a, b), (aa, ab, bb), (x, known, xx, ax, ak, bx, bk) = sums, products, before
    crossed = (aa, ab, ax, ak), (ab, bb, bx, bk), (ax, bx, xx, x), (ak, bk, x, known)
    return Moments.from_sums(n, (a, b, x, known), crossed)


@dataclass(frozen=True, slots=True, eq=False)
class Side:
    """One arm's units of one KPI. `with_outcome` and `without` count units that showed it, and that missed it."""

    moments: Moments = field(default_factory=lambda: Moments.none(FIGURES))
    with_outcome: int = 0
    without: int = 0
    binary: bool = True

    @classmethod
    def of(cls, units: Iterable[UnitFigure]) -> Side:
        """Of units; those without a denominator or with a figure that is not finite count for nothing."""
        figures: list[tuple[float, float, float, float]] = []
        shown = missed = 0
        binary = True
        for unit in units:
            known = unit.covariate is not None
            row = (unit.numerator, unit.denominator, unit.covariate or 0.0, float(known))
            if unit.denominator <= 0 or not all(map(math.isfinite, row)):
                continue
            figures.append(row)
            shown += unit.numerator > 0
            missed += unit.numerator < unit.denominator
            binary = binary and unit.binary
        return cls(Moments.of(figures) if figures else Moments.none(FIGURES), shown, missed, binary)

    @classmethod
    def plain(cls, values: Sequence[float] | Vector) -> Side:
        """Of units with one row each: their values."""
        figures = np.zeros((len(values), FIGURES))
        figures[:, 0], figures[:, 1] = values, 1.0
        shown, binary = int(np.sum(figures[:, 0] > 0)), bool(np.isin(figures[:, 0], (0.0, 1.0)).all())
        moments = Moments.of(figures) if len(figures) else Moments.none(FIGURES)
        return cls(moments, shown, int(np.sum(figures[:, 0] < 1)), binary)

    @classmethod
    def counted(cls, n: int, ones: int) -> Side:
        """Of `n` units that each said yes or no once, `ones` of them yes."""
        return cls(raw_moments(n, (ones, n), (ones, ones, n)), ones, n - ones) if n else cls()

    def __add__(self, other: Side) -> Side:
        """Of the units of both."""
        return Side(
            self.moments + other.moments,
            self.with_outcome + other.with_outcome,
            self.without + other.without,
            self.binary and other.binary,
        )

    @property
    def n(self) -> int:
        """Distinct units."""
        return self.moments.n

    @property
    def ratio(self) -> float:
        """Sum of numerators over sum of denominators; NaN of none."""
        return float(self.moments.mean[0] / self.moments.mean[1]) if self.n else math.nan

    @property
    def covered(self) -> int:
        """Units that have a covariate."""
        return round(self.n * float(self.moments.mean[3]))

    @property
    def enough(self) -> bool:
        """Whether an interval on these units deserves belief."""
        return min(self.with_outcome, self.without) >= OUTCOMES if self.binary else self.n >= UNITS

    @property
    def cautious(self) -> float:
        """Variance of the linearised figure that harm on too few units is judged with.

        Of a yes or no at least that of one more unit of each: where none of a few units has the outcome the sample's
        own variance is 0, and every rare outcome of the other arm would look like harm (Laplace's rule).
        """
        if not self.binary:
            return self.variance if self.n >= OUTCOMES else math.inf
        share = (self.with_outcome + 1) / (self.n + 2)
        return max(self.variance, share * (1 - share))

    @property
    def variance(self) -> float:
        """Of the linearised figure (numerator - ratio * denominator) / mean denominator of a unit."""
        c, scale, ratio = self.moments.covariance, float(self.moments.mean[1]), self.ratio
        found = (c[0, 0] - 2 * ratio * c[0, 1] + ratio * ratio * c[1, 1]) / (scale * scale)
        return max(0.0, float(found))

    def before(self) -> tuple[Vector, Vector, Vector]:
        """What is known from the time before: covariate, and whether there is one.

        Covariances (2,) with the linearised figure, covariances (2, 2) and mean squares (2,) of the two.
        """
        c, m = self.moments.covariance, self.moments.mean
        together = (c[0, 2:] - self.ratio * c[1, 2:]) / float(m[1])
        return together, c[2:, 2:], np.diag(c)[2:] + m[2:] ** 2


@dataclass(frozen=True, slots=True)
class Effect:
    """`new` less `old`: value, standard error, units of both; and the two ratios.

    `believed` is the error that conclusions rest on: the larger, cautious one while units are too few. `weight` is
    n0 n1 / (n0 + n1), a quarter of the units where the arms are even. `plain` is the error that it has without a
    covariate, and `covered` of its units have one.
    """

    value: float
    error: float
    n: int
    old: float
    new: float
    enough: bool = True
    cautious: float = 0.0
    weight: float = 0.0
    plain: float = 0.0
    covered: int = 0

    @property
    def reduced(self) -> float:
        """Part of the variance that the covariate takes away; 0 without one."""
        return 1 - (self.error / self.plain) ** 2 if 0 < self.plain < math.inf and self.covered else 0.0

    @property
    def informative(self) -> int:
        """Units that would say as much in even arms; what a ramp is tuned by, whose arms are anything but even."""
        return math.floor(4 * self.weight)

    @property
    def believed(self) -> float:
        """See above; 0 where nothing varies."""
        return self.error if self.enough or not self.error > 0 else max(self.error, self.cautious)


def effect(old: Side, new: Side, times: float = 1.0) -> Effect:
    """The new arm's ratio less `times` the old one's, less what a covariate explains of it (CUPED).

    CUPED: Deng, Xu, Kohavi and Walker, WSDM 2013; the slopes are pooled over both arms, so that they cannot lean to one
    of them. A unit without a covariate counts with 0 and, as a second covariate, that it has none: whatever stands in
    its place then changes nothing, and no unit is left out (missingness indicator; Zhao and Ding, "To adjust or not to
    adjust?", arXiv 2108.00152). Without a covariate that varies it is the plain difference. NaN with an infinite error
    below two units an arm.
    """
    n = old.n + new.n
    if min(old.n, new.n) < 2:
        return Effect(math.nan, math.inf, n, old.ratio, new.ratio, False, math.inf)
    plain = times * times * old.variance / old.n + new.variance / new.n
    covered = old.covered + new.covered if times == 1.0 else 0
    shift, change = _explained(old, new) if covered else (0.0, 0.0)
    cautious = math.sqrt(times * times * old.cautious / old.n + new.cautious / new.n)
    return Effect(
        new.ratio - times * old.ratio - shift, math.sqrt(max(0.0, plain + change)), n, old.ratio, new.ratio,
        old.enough and new.enough, cautious, old.n * new.n / n, math.sqrt(plain), covered,
    )  # fmt: skip


def _explained(old: Side, new: Side) -> tuple[float, float]:
    """What the time before explains of the difference, and by how much that changes its squared error."""
    (c0, x0, m0), (c1, x1, m1) = old.before(), new.before()
    theta = _slopes(x0 * old.n + x1 * new.n, c0 * old.n + c1 * new.n, m0 * old.n + m1 * new.n)
    change = sum(float(theta @ x @ theta - 2 * theta @ c) / n for c, x, n in ((c0, x0, old.n), (c1, x1, new.n)))
    return float(theta @ (new.moments.mean[2:] - old.moments.mean[2:])), change


def _slopes(spread: Vector, together: Vector, squares: Vector) -> Vector:
    """Least squares (2,) by covariances (2, 2) and (2,); 0 of what does not vary, shared where two say the same."""
    own = np.diag(spread)
    scale = np.where(own > ROUNDING * squares, np.sqrt(np.maximum(own, 0.0)), np.inf)
    alike = spread / np.outer(scale, scale)
    return np.asarray(np.linalg.lstsq(alike, together / scale, rcond=1e-9)[0] / scale, dtype=np.float64)


def contrast(sides: Mapping[str, Side], weights: Mapping[str, float]) -> Effect:
    """The sum of the sides' ratios times `weights`, which add up to 0 or name one side; all count for their units.

    `old` and `new` are those of what counts negative and positive. As a mean over all units of their influence it has
    the same sequences as a difference of two arms; with two sides and weights of -1 and 1 it is that. NaN with an
    infinite error where a side has below two units.
    """
    n = sum(side.n for side in sides.values())
    if any(side.n < 2 for side in sides.values()):
        return Effect(math.nan, math.inf, n, math.nan, math.nan, False, math.inf)
    parts = [(weights.get(name, 0.0), side) for name, side in sides.items()]

    def spread(variance: Callable[[Side], float]) -> float:
        return math.sqrt(math.fsum(weight * weight * variance(side) / side.n for weight, side in parts if weight))

    old, new = (math.fsum(abs(w) * s.ratio for w, s in parts if sign * w > 0) for sign in (-1, 1))
    return Effect(
        new - old, spread(lambda side: side.variance), n, old, new, all(side.enough for side in sides.values()),
        spread(lambda side: side.cautious), 1 / math.fsum(1 / side.n for side in sides.values()),
    )  # fmt: skip


def above(new: Side, level: float) -> Effect:
    """How far the ratio of one arm lies above a level that is known; its weight is that of even arms so precise."""
    if new.n < 2:
        return Effect(math.nan, math.inf, new.n, level, new.ratio, False, math.inf)
    error, cautious = math.sqrt(new.variance / new.n), math.sqrt(new.cautious / new.n)
    return Effect(new.ratio - level, error, new.n, level, new.ratio, new.enough, cautious, float(new.n))


def returned(units: Sequence[int], known: Sequence[int | None] = ()) -> list[int]:
    """Of the units of each phase those that an earlier one had, too; where that is not `known` the most that can be."""
    before, found = 0, []
    for n, told in zip(units, known or [None] * len(units), strict=True):
        back = min(n, before, before if told is None else told)
        found.append(back)
        before += n - back
    return found


def combined(parts: Sequence[Effect], again: Sequence[int] = ()) -> Effect:
    """One effect of several phases, weighted as Cochran, Mantel and Haenszel do (n0 n1 / (n0 + n1)); never pooled.

    Pooling over a ramp compares early units of one arm with late ones of the other (Simpson's paradox). Phases with
    fewer than two units an arm are left out. `again` says how many units of each phase an earlier one had, too (see
    `returned`): their values may be the same again, so the errors of two phases correlate by at most
    again / sqrt(n n'), and that is taken for granted. Without it phases count as independent.
    """
    back = list(again) or [0] * len(parts)
    pairs = [(part, n) for part, n in zip(parts, back, strict=True) if math.isfinite(part.error) and part.weight > 0]
    usable = [part for part, _ in pairs]
    total = sum(part.weight for part in usable)
    if not usable:
        return Effect(math.nan, math.inf, 0, math.nan, math.nan, False, math.inf)
    share = [part.weight / total for part in usable]

    def mean(values: Iterable[float]) -> float:
        return sum(weight * value for weight, value in zip(share, values, strict=True))

    def spread(errors: Iterable[float]) -> float:
        mine = [weight * error for weight, error in zip(share, errors, strict=True)]
        variance = sum(one * one for one in mine)
        for later, (part, shared) in enumerate(pairs):
            for earlier, other in enumerate(usable[:later]):
                alike = min(shared, part.n, other.n) / math.sqrt(part.n * other.n)
                variance += 2 * alike * mine[later] * mine[earlier]
        return math.sqrt(variance)

    return Effect(
        mean(part.value for part in usable),
        spread(part.error for part in usable),
        sum(max(0, part.n - shared) for part, shared in pairs),
        mean(part.old for part in usable),
        mean(part.new for part in usable),
        any(part.enough for part in usable),
        spread(part.cautious for part in usable),
        total,
        spread(part.plain for part in usable),
        sum(round(part.covered * max(0, part.n - shared) / part.n) for part, shared in pairs),
    )
