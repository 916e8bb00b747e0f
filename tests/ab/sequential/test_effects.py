"""Effects over distinct units: against textbook formulas, and against what clustering does to them."""

from __future__ import annotations

import math

import numpy as np
import pytest

from ab.experiment import Primary
from ab.sequential.bounds import fixed
from ab.sequential.effects import Effect, Side, UnitFigure, above, combined, effect, returned
from ab.sequential.judging import judge
from ab.sequential.moments import Moments
from ab.summary import Stat


def test_plain_figures_give_the_difference_of_means_with_its_unpooled_error() -> None:
    old, new = [0.0, 1.0, 1.0, 0.0, 1.0], [1.0, 1.0, 0.0, 1.0]
    found = effect(Side.plain(old), Side.plain(new))
    a, b = Stat.of(old), Stat.of(new)
    assert found.value == pytest.approx(b.mean - a.mean)
    assert found.error == pytest.approx(math.sqrt(a.var / a.n + b.var / b.n))
    assert found.n == 9


SESSIONS = [2, 1, 4, 3, 2, 5, 1, 2, 3, 1, 2, 6, 2, 1, 3, 4, 1, 2, 5, 2, 1, 3, 2, 4]
ORDERS = [1, 0, 2, 1, 0, 4, 1, 1, 2, 0, 0, 3, 1, 1, 2, 3, 1, 1, 4, 0, 1, 2, 2, 4]
BEFORE = [1, 0, 1, 1, 1, 3, 0, 1, 2, 0, 0, 3, 1, 0, 1, 2, 1, 0, 3, 0, 1, 1, 2, 2]
"""Sessions, orders and orders of the time before of 24 users, twelve of each arm."""


@pytest.mark.parametrize(
    ("over", "covariates", "value", "lower", "upper", "p", "near"),
    [
        ([1] * 24, [0] * 24, 0.5833333333333333, -0.4390391154665803, 1.6057057821332468, 0.2634417204830060, 1e-12),
        (SESSIONS, [0] * 24, 0.2645833333333333, 0.0541028112428415, 0.4750638554238251, 0.0137487567653801, 1e-12),
        ([1] * 24, BEFORE, 0.4898710865561691, 0.0055781980141255, 0.9741639750982127, 0.0474189128099734, 1e-3),
    ],
    ids=["mean", "ratio", "cuped"],
)
def test_effects_are_tea_tasting_s(
    over: list[int], covariates: list[int], value: float, lower: float, upper: float, p: float, near: float
) -> None:
    """tea-tasting 1.14.0, on these columns with `variant` 0 and 1: `Mean("orders", use_t=False, equal_var=False)`,
    `RatioOfMeans("orders", "sessions", ...)` and `Mean("orders", covariate="before", ...)`.

    Its theta takes the difference between the arms for part of the covariate's spread, ours does not: 1 in n of it.
    """
    units = [UnitFigure(float(a), float(b), float(x)) for a, b, x in zip(ORDERS, over, covariates, strict=True)]
    found = effect(Side.of(units[:12]), Side.of(units[12:]))
    once = fixed(found.value, found.error, 0.05)
    assert (found.value, once.lower, once.upper, once.p) == pytest.approx((value, lower, upper, p), abs=near)


def test_halves_add_to_the_whole() -> None:
    values = np.random.default_rng(3).normal(1e6, 1.0, 501)
    whole = Side.plain(values)
    halves = Side.plain(values[:200]) + Side.plain(values[200:])
    assert halves.n == whole.n
    assert halves.variance == pytest.approx(whole.variance, rel=1e-9)


def _requests(rng: np.random.Generator, users: int) -> list[tuple[float, float]]:
    """Users whose own rate varies, with 1 to 40 requests each: numerator and denominator."""
    rates = rng.beta(2, 2, users)
    counts = rng.geometric(0.1, users).clip(1, 40)
    return [(float(rng.binomial(n, rate)), float(n)) for n, rate in zip(counts, rates, strict=True)]


def test_requests_of_one_user_are_not_independent_observations() -> None:
    """300 A/A pairs: the error by user covers the spread seen; the error by request is far too small."""
    rng = np.random.default_rng(11)
    seen, by_user, by_request = [], [], []
    for _ in range(300):
        sides = []
        for _ in range(2):
            pairs = _requests(rng, 200)
            sides.append((Side.of(UnitFigure(a, b) for a, b in pairs), pairs))
        found = effect(sides[0][0], sides[1][0])
        seen.append(found.value)
        by_user.append(found.error)
        flat = []
        for _, pairs in sides:
            n, right = sum(b for _, b in pairs), sum(a for a, _ in pairs)
            flat.append(right / n * (1 - right / n) / n)
        by_request.append(math.sqrt(sum(flat)))
    spread = float(np.std(seen))
    assert np.mean(by_user) == pytest.approx(spread, rel=0.12)
    assert np.mean(by_request) < 0.6 * spread


def test_a_covariate_that_explains_half_narrows_the_error_and_leaves_the_effect_unbiased() -> None:
    rng = np.random.default_rng(5)

    def side(lift: float) -> tuple[Side, Side]:
        before = rng.normal(0, 1, 3_000)
        after = before + rng.normal(0, 1, 3_000) + lift
        rows = list(zip(after, before, strict=True))
        return Side.of(UnitFigure(a, 1.0, b) for a, b in rows), Side.of(UnitFigure(a, 1.0) for a, _ in rows)

    (old, old_plain), (new, new_plain) = side(0.0), side(0.3)
    adjusted, plain = effect(old, new), effect(old_plain, new_plain)
    assert adjusted.error == pytest.approx(plain.error / math.sqrt(2), rel=0.05)
    assert adjusted.value == pytest.approx(0.3, abs=3 * adjusted.error)


def half_known(rng: np.random.Generator, n: int, lift: float = 0.0) -> list[UnitFigure]:
    """Units of which a third has no past, and those are lower by one; a past explains half of the others' spread."""
    past, known = rng.normal(5, 1, n), rng.random(n) < 2 / 3
    now = np.where(known, past - 5, -1) + rng.normal(0, 1, n) + lift
    return [UnitFigure(a, 1.0, x if k else None) for a, x, k in zip(now.tolist(), past.tolist(), known, strict=True)]


def regressed(old: list[UnitFigure], new: list[UnitFigure], instead: float) -> float:
    """The arm's coefficient by least squares on arm, covariate (`instead` where there is none) and whether there is."""
    units = [*old, *new]
    arm = np.r_[np.zeros(len(old)), np.ones(len(new))]
    before = [instead if one.covariate is None else one.covariate for one in units]
    known = [one.covariate is not None for one in units]
    columns = np.column_stack([np.ones(len(units)), arm, before, known])
    return float(np.linalg.lstsq(columns, np.array([one.numerator for one in units]), rcond=None)[0][1])


def test_units_without_a_past_count_and_what_stands_in_its_place_changes_nothing() -> None:
    """Zhao and Ding, arXiv 2108.00152: with the indicator, 0 and the mean of those who have one give the same."""
    rng = np.random.default_rng(8)
    old, new = half_known(rng, 3_000), half_known(rng, 3_000, 0.2)
    found = effect(Side.of(old), Side.of(new))
    assert regressed(old, new, 0.0) == pytest.approx(regressed(old, new, 5.0), abs=1e-9)
    assert found.value == pytest.approx(regressed(old, new, 0.0), abs=1e-3 * found.error)
    assert (found.n, found.plain) == (
        6_000,
        effect(*(Side.plain([u.numerator for u in of]) for of in (old, new))).error,
    )
    assert found.covered == sum(one.covariate is not None for one in (*old, *new))
    left = [[one for one in of if one.covariate is not None] for of in (old, new)]
    assert found.error < effect(*map(Side.of, left)).error, "who has no past says something, too"
    assert found.reduced == pytest.approx(1 - 1 / (2 / 3 + 1 + 2 / 9), abs=0.06)


@pytest.mark.parametrize("before", [0.1, 0.0, 1e9])
@pytest.mark.parametrize("every", [1, 3])
def test_a_covariate_that_is_the_same_for_all_who_have_it_says_no_more_than_who_has_it(
    before: float, every: int
) -> None:
    rng = np.random.default_rng(4)

    def units(x: float | None) -> list[UnitFigure]:
        return [UnitFigure(y, 1.0, None if at % every else x) for at, y in enumerate(rng.normal(0, 1, 600).tolist())]

    sides = [Side.of(units(before)) for _ in range(2)]
    rng = np.random.default_rng(4)
    others = [Side.of(units(1.0)) for _ in range(2)]
    found, other = effect(*sides), effect(*others)
    assert (found.value, found.error) == pytest.approx((other.value, other.error), rel=1e-6)
    assert 0 <= found.reduced < 0.02


def test_what_rounding_leaves_of_a_covariate_that_is_the_same_for_all_explains_nothing() -> None:
    n, products = 600, np.diag([600.0, 0.0, 600e-14, 0.0])
    products[0, 2] = products[2, 0] = 600e-8
    sides = [Side(Moments(n, np.array([mean, 1.0, 1.0 + mean * 1e-7, 1.0]), products), binary=False) for mean in (0, 1)]
    found = effect(*sides)
    assert (found.value, found.error) == (1.0, found.plain)


def test_phases_with_a_covariate_are_combined_and_users_who_came_back_are_covered_once() -> None:
    rng = np.random.default_rng(6)
    parts = [effect(Side.of(half_known(rng, 900)), Side.of(half_known(rng, 900))) for _ in range(2)]
    found = combined(parts, [0, 900])
    assert found.covered == parts[0].covered + round(parts[1].covered / 2)
    assert found.plain > found.error > 0
    assert found.reduced == pytest.approx(parts[0].reduced, abs=0.05)


RUNS, LOOKS = 150, 20


def test_an_interval_with_a_covariate_holds_at_every_look() -> None:
    """150 A/A experiments of 1,600 planned units, looked at each 80 units; seed 12; at most 5 % and 3 errors err."""
    rng = np.random.default_rng(12)
    asked = Primary(kpi="spend", test="two_sided", covariate="spend_before")
    wrong = 0
    for _ in range(RUNS):
        sides = [Side(), Side()]
        missed = False
        for _ in range(LOOKS):
            sides = [side + Side.of(half_known(rng, 40)) for side in sides]
            found = judge(asked, effect(*sides), 0.05, 1_600)
            missed = missed or not found.always.lower <= 0 <= found.always.upper
        wrong += missed
    assert wrong <= RUNS * (0.05 + 3 * math.sqrt(0.05 * 0.95 / RUNS))


def test_units_without_a_finite_figure_or_a_denominator_count_for_nothing() -> None:
    side = Side.of(
        [UnitFigure(1, 1), UnitFigure(math.nan, 1), UnitFigure(1, 0), UnitFigure(math.inf, 1), UnitFigure(0, 1)]
    )
    assert (side.n, side.with_outcome, side.without) == (2, 1, 1)
    assert not math.isfinite(effect(Side(), side).error)


@pytest.mark.parametrize(("ones", "zeros", "enough"), [(19, 400, False), (20, 20, True), (400, 19, False)])
def test_a_yes_or_no_needs_twenty_units_of_each(ones: int, zeros: int, enough: bool) -> None:
    assert Side.of([UnitFigure(1, 1, binary=True)] * ones + [UnitFigure(0, 1, binary=True)] * zeros).enough is enough
    assert Side.plain([1.0] * ones + [0.0] * zeros).enough is enough


@pytest.mark.parametrize(("n", "enough"), [(499, False), (500, True)])
def test_other_figures_need_five_hundred(n: int, enough: bool) -> None:
    assert Side.plain(np.linspace(0, 3, n)).enough is enough


def test_phases_are_combined_and_never_pooled() -> None:
    """A ramp from 10 % to 90 % while the level falls from 0.9 to 0.1: no effect, though pooled means are far apart."""
    first = effect(Side.plain([0.9, 0.91] * 90), Side.plain([0.9, 0.91] * 10))
    second = effect(Side.plain([0.1, 0.11] * 10), Side.plain([0.1, 0.11] * 90))
    assert combined([first, second]).value == pytest.approx(0.0, abs=1e-12)
    assert combined([]).n == 0
    lone = Effect(math.nan, math.inf, 3, 0.0, 0.0, False)
    assert combined([first, lone]).value == pytest.approx(first.value)


def test_what_is_not_known_of_returning_units_is_taken_at_its_worst() -> None:
    assert returned([100, 200, 50]) == [0, 100, 50]
    assert returned([100, 200, 50], [None, 20, 30]) == [0, 20, 30]
    assert returned([100, 200], [0, 0]) == [0, 0]
    assert returned([]) == []


def test_two_phases_share_no_more_units_than_either_has() -> None:
    """Of 1,000 units that came back at most ten were among the ten of the first phase."""
    few, many = (effect(Side.plain([0.0, 1.0] * n), Side.plain([0.0, 1.0] * n)) for n in (3, 500))
    both, apart = combined([few, many], returned([few.n, many.n])), combined([few, many])
    shares = [part.weight / (few.weight + many.weight) for part in (few, many)]
    mine = [share * part.error for share, part in zip(shares, (few, many), strict=True)]
    assert both.error**2 - apart.error**2 == pytest.approx(2 * math.sqrt(few.n / many.n) * mine[0] * mine[1])


def test_a_known_level_has_no_error_of_its_own() -> None:
    found = above(Side.counted(1_000, 30), 0.01)
    assert found.value == pytest.approx(0.02)
    assert found.error == pytest.approx(math.sqrt(0.03 * 0.97 / 999))
    assert (found.old, found.new, found.informative) == (0.01, pytest.approx(0.03), 4_000)
    assert math.isinf(above(Side.counted(1, 0), 0.01).error)
