"""Verdicts of a primary KPI and of a guardrail, by test and by direction."""

from __future__ import annotations

import math

import numpy as np
import pytest

from ab.experiment import Primary
from ab.guardrails import Guardrail
from ab.sequential.bounds import ConfidenceSequence
from ab.sequential.effects import Effect, Side, above, effect
from ab.sequential.judging import judge, significant, watch, watch_tail

N = 10_000


def seen(value: float, error: float = 0.002, enough: bool = True) -> Effect:
    """An effect on 10,000 units; half-widths are about 3.04 (two-sided) and 2.78 (one-sided) errors."""
    return Effect(value, error, N, 0.85, 0.85 + value, enough)


@pytest.mark.parametrize(
    ("test", "margin", "value", "verdict"),
    [
        ("two_sided", 0.0, 0.01, "proven"),
        ("two_sided", 0.0, 0.005, "open"),
        ("two_sided", 0.0, -0.01, "harm"),
        ("superiority", 0.0, 0.0058, "proven"),
        ("superiority", 0.01, 0.012, "open"),
        ("superiority", 0.01, 0.016, "proven"),
        ("superiority", 0.01, 0.003, "excluded"),
        ("superiority", 0.0, -0.01, "harm"),
        ("non_inferiority", 0.012, -0.005, "proven"),
        ("non_inferiority", 0.012, -0.008, "open"),
        ("non_inferiority", 0.012, -0.03, "harm"),
        ("equivalence", 0.012, 0.0, "proven"),
        ("equivalence", 0.012, 0.008, "open"),
        ("equivalence", 0.012, 0.02, "excluded"),
        ("equivalence", 0.012, -0.02, "harm"),
    ],
)
@pytest.mark.parametrize("better", ["higher", "lower"])
def test_each_test_concludes_what_its_interval_shows(
    test: str, margin: float, value: float, verdict: str, better: str
) -> None:
    asked = Primary(kpi="k", test=test, margin=margin, better=better)  # type: ignore[arg-type]
    found = judge(asked, seen(value if better == "higher" else -value), 0.05, N)
    assert found.verdict == verdict
    if test != "two_sided" or verdict != "harm":
        assert (found.p < 0.05) == (verdict == "proven")


def test_on_too_few_units_nothing_but_harm_is_concluded_and_harm_needs_an_error() -> None:
    asked = Primary(kpi="k", test="superiority")
    assert judge(asked, seen(0.1, enough=False), 0.05, N).verdict == "too few"
    assert judge(asked, seen(-0.1, enough=False), 0.05, N).verdict == "harm"
    assert judge(asked, seen(-0.1, error=0.0), 0.05, N).verdict == "too few"
    assert judge(asked, Effect(math.nan, math.inf, 3, math.nan, math.nan, False), 0.05, N).verdict == "too few"


@pytest.mark.parametrize(
    ("rail", "value", "verdict"),
    [
        (Guardrail(kpi="k", max_increase=0.01), 0.02, "harm"),
        (Guardrail(kpi="k", max_increase=0.01), 0.012, "open"),
        (Guardrail(kpi="k", max_increase=0.01), 0.0, "safe"),
        (Guardrail(kpi="k", max_increase=0.0), 0.0, "open"),
        (Guardrail(kpi="k", max_decrease=0.01), -0.02, "harm"),
        (Guardrail(kpi="k", max_decrease=0.01), 0.0, "safe"),
        (Guardrail(kpi="k", max_ratio=1.3), 0.02, "harm"),
        (Guardrail(kpi="k", max_ratio=1.3), -0.02, "safe"),
    ],
)
def test_a_guardrail_has_an_edge_for_harm_and_one_for_safety(rail: Guardrail, value: float, verdict: str) -> None:
    found = watch(rail, seen(value), 0.05, N)
    assert found.verdict == verdict
    half = ConfidenceSequence(0.05, N, 1).half_width(0.002, N)
    assert (found.lower, found.upper) == pytest.approx((found.worse - half, found.worse + half))


def test_a_guardrail_on_too_few_units_is_never_safe() -> None:
    rail = Guardrail(kpi="k", max_increase=0.01)
    assert watch(rail, seen(-0.5, enough=False), 0.05, N).verdict == "too few"
    assert watch(rail, seen(0.5, enough=False), 0.05, N).verdict == "harm"


def test_secondary_kpis_share_their_error() -> None:
    """Alone, b would be significant at 0.05; beside two others it is not (Holm)."""
    one = Primary(kpi="a", test="superiority")
    found = [
        judge(one.model_copy(update={"kpi": kpi}), seen(v), 0.05, N)
        for kpi, v in (("a", 0.02), ("b", 0.0057), ("c", 0))
    ]
    assert found[1].verdict == "proven"
    assert significant(found, 0.05) == {"a"}


def test_a_rare_outcome_that_a_few_units_lack_is_no_harm_and_a_broken_arm_is_found_at_once() -> None:
    """1 % against none of 20: the sample's own variance is 0 there. 85 % against none of 20 is harm all the same."""
    asked = Primary(kpi="k", test="superiority")
    few = Side.counted(20, 0)
    assert judge(asked, effect(Side.counted(2_000, 20), few), 0.05, 4_000).verdict == "too few"
    assert judge(asked, effect(Side.counted(2_000, 1_700), few), 0.05, 4_000).verdict == "harm"
    rail = Guardrail(kpi="k", max_decrease=0.0)
    assert watch(rail, effect(Side.counted(2_000, 20), few), 0.05, 4_000).verdict == "too few"
    assert watch(rail, effect(Side.counted(2_000, 1_700), few), 0.05, 4_000).verdict == "harm"


def test_another_figure_needs_twenty_units_of_each_arm_before_harm() -> None:
    asked = Primary(kpi="k", test="superiority")
    old = Side.plain([3.0, 4.0, 5.0] * 300)
    assert judge(asked, effect(old, Side.plain([0.0, 0.1] * 9)), 0.05, 4_000).verdict == "too few"
    assert judge(asked, effect(old, Side.plain([0.0, 0.1] * 10)), 0.05, 4_000).verdict == "harm"


TAIL = Guardrail(kpi="latency_p99", max_ratio=1.3)


def test_an_arm_at_its_limit_is_seldom_called_safe_however_often_one_looks() -> None:
    """Just 1 % of the requests are slow, looked at after every 50 users: 200 experiments, at most 5 % and its error."""
    rng, said = np.random.default_rng(11), 0
    for _ in range(200):
        slow = rng.binomial(50, 0.01, 40).cumsum()
        parts = [above(Side.counted(50 * (at + 1), int(k)), 0.01) for at, k in enumerate(slow)]
        said += any(watch_tail(TAIL, part, part, 0.05, N).verdict == "safe" for part in parts)
    assert said / 200 <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 200)


def test_slow_requests_are_no_harm_of_an_arm_beside_which_the_other_is_as_slow() -> None:
    beyond = above(Side.counted(4_000, 200), 0.01)
    for old, verdict in ((20, "harm"), (200, "open")):
        apart = effect(Side.counted(4_000, old), Side.counted(4_000, 200))
        assert watch_tail(TAIL, beyond, apart, 0.05, N).verdict == verdict


def test_equivalence_at_one_look_is_two_one_sided_tests() -> None:
    """statsmodels 0.14.6: the larger p of `ztest_ind("larger", "unequal", -2)` and `("smaller", "unequal", 2)`."""
    old = Side.plain([0.0, 1.5, 2.25, 3.0, 0.5, 1.0, 4.0, 2.0, 0.0, 1.0, 2.5, 3.5])
    new = Side.plain([1.0, 2.5, 2.0, 4.5, 1.5, 3.0, 5.0, 0.5, 2.0, 3.5])
    found = judge(Primary(kpi="k", test="equivalence", margin=2.0), effect(old, new), 0.05, 100)
    assert found.fixed.p == pytest.approx(0.021056916555456107)
