"""Guardrails of a canary: all together, over users, step by step."""

from __future__ import annotations

import numpy as np

from ab.guardrails import Guardrail
from ab.sequential.effects import Side
from ab.sequential.rollout import breach, watched

RAILS = (
    Guardrail(kpi="abnormal_termination", max_increase=0.0),
    Guardrail(kpi="similarity", max_decrease=0.02),
    Guardrail(kpi="latency_p99", max_ratio=1.5),
)


def said(**steps: list[tuple[Side, Side]]) -> str | None:
    return breach(watched(RAILS, steps))


def test_equal_versions_and_versions_without_users_break_nothing() -> None:
    assert said() is None
    assert said(abnormal_termination=[(Side(), Side.counted(5, 5))]) is None
    assert said(abnormal_termination=[(Side.counted(4_000, 200), Side.counted(1_000, 50))]) is None


def test_what_is_clearly_worse_is_named_with_its_limit() -> None:
    bad = [(Side.counted(1_200, 60), Side.counted(300, 45))]
    why = str(said(abnormal_termination=bad))
    assert why.startswith("abnormal_termination 0.150 of 300 users against 0.050 of 1200: worse by at least 0.0")
    assert why.endswith("its guardrail allows max_increase 0")
    near = np.random.default_rng(1).normal(0.9, 0.05, 2_000)
    assert said(similarity=[(Side.plain(near), Side.plain(near - 0.01))]) is None
    assert "max_decrease 0.02" in str(said(similarity=[(Side.plain(near), Side.plain(near - 0.1))]))


def slow(old: tuple[int, int], new: tuple[int, int]) -> str | None:
    """Of so many users so many had a reply beyond the frozen limit."""
    return said(latency_p99=[(Side.counted(*old), Side.counted(*new))])


def test_slow_replies_are_harm_beyond_one_per_cent_and_beyond_the_stable_version_s() -> None:
    assert "max_ratio 1.5" in str(slow((4_000, 20), (1_000, 60)))
    assert slow((4_000, 20), (1_000, 9)) is None
    assert slow((4_000, 240), (1_000, 60)) is None  # a burst has slowed both down
    assert slow((4_000, 4), (1_000, 10)) is None  # slower than the stable version, and within its limit
    assert slow((0, 0), (1_000, 60)) is None


def test_a_candidate_that_always_fails_is_harm_soon_although_nothing_varies() -> None:
    for users, harm in ((4, False), (12, True)):
        assert (said(abnormal_termination=[(Side.counted(100, 0), Side.counted(users, users))]) is not None) is harm
    assert said(abnormal_termination=[(Side.counted(100, 0), Side.counted(100, 0))]) is None
    assert said(abnormal_termination=[(Side.counted(100, 100), Side.counted(30, 30))]) is None


def test_a_step_with_a_handful_of_users_does_not_silence_the_others() -> None:
    near = np.random.default_rng(1).normal(0.9, 0.05, 300)
    few, many = (Side.plain(near), Side.plain(near[:5])), (Side.plain(near), Side.plain(near[:100] - 0.4))
    assert said(similarity=[few]) is None
    assert "similarity" in str(said(similarity=[few, many]))


def test_a_day_on_which_both_fail_more_is_no_harm_of_the_candidate() -> None:
    """The candidate's users come mostly on the bad day; pooled over steps it fails twice as often."""
    quiet = (Side.counted(9_900, 99), Side.counted(100, 1))
    stormy = (Side.counted(500, 100), Side.counted(9_500, 1_900))
    assert said(abnormal_termination=[quiet, stormy]) is None
    pooled = [(quiet[0] + stormy[0], quiet[1] + stormy[1])]
    assert said(abnormal_termination=pooled) is not None


def test_users_who_come_back_in_every_step_are_no_new_evidence() -> None:
    """600 A/A rollouts of four steps with the same users, whose habits stay: the error covers the spread."""
    rng = np.random.default_rng(4)
    seen, errors = [], []
    for _ in range(600):
        old, new = rng.beta(0.12, 2.3, (2, 300))
        steps = [(Side.plain(rng.binomial(10, old) / 10), Side.plain(rng.binomial(10, new) / 10)) for _ in range(4)]
        found = watched(RAILS[:1], {"abnormal_termination": steps})[0]
        seen.append(found.effect.value)
        errors.append(found.effect.error)
    spread = float(np.std(seen))
    assert spread < np.mean(errors) < 1.3 * spread


def test_the_more_guardrails_share_the_error_the_more_each_needs() -> None:
    """Harm just beyond the limit of one guardrail alone is not yet harm among a hundred."""
    arms = [(Side.counted(1_000, 50), Side.counted(1_000, 94))]
    alone = watched(RAILS[:1], {"abnormal_termination": arms})
    among = watched(
        (*RAILS, *(Guardrail(kpi=str(i), max_increase=0.0) for i in range(97))), {"abnormal_termination": arms}
    )
    assert alone[0].finding.lower > among[0].finding.lower
    assert (breach(alone) is None, breach(among) is None) == (False, True)
