"""Slices before and after, with intervals."""

from __future__ import annotations

import random

import pytest

from ab.matched import loss_bound
from deploy.life.evaluation import Evaluation, JudgedReply, JudgedRow
from deploy.life.slices import slice_changes
from tests.deploy.life.judged import evaluation, learned, rows


def test_each_slice_has_exact_replies_facts_and_agreement_with_intervals() -> None:
    found = slice_changes(evaluation(*rows(400, lost=8, won=2), hard=learned(100)))
    general, hard = found["general"], found["hard"]
    assert (general.n, hard.n) == (400, 100)
    assert (general.exact.lost, general.exact.won) == (general.facts.lost, general.facts.won) == (8, 2)
    assert (general.exact.before.value, general.exact.after.value) == (398 / 400, 392 / 400)
    assert general.exact.difference.value == pytest.approx(-6 / 400)
    assert general.exact.difference.lower == pytest.approx(-loss_bound(8, 2, 400, 0.025))
    assert general.exact.difference.upper == pytest.approx(loss_bound(2, 8, 400, 0.025))
    assert hard.exact.difference.value == 0.75
    for change in (general.exact, general.facts, general.agreement, hard.exact, hard.facts, hard.agreement):
        for figure in (change.before, change.after, change.difference):
            assert figure.lower <= figure.value <= figure.upper
    assert general.agreement.difference.value == pytest.approx((8 * -0.05 + 2 * 0.05) / 400)


def test_a_slice_without_rows_is_not_there_and_one_row_has_an_interval() -> None:
    assert slice_changes(Evaluation(candidate_finite=True)) == {}
    (found,) = slice_changes(Evaluation(candidate_finite=True, rows=tuple(rows(1)))).values()
    assert (found.exact.before.value, found.exact.before.upper) == (1.0, 1.0)
    assert found.exact.before.lower < 0.3


def test_the_interval_of_a_difference_holds_what_is_true_as_often_as_it_says() -> None:
    """1,000 evaluations of 200 rows that lose 5 % and win 2 %, seed 11; tolerance three standard errors."""
    chance, held = random.Random(11), 0
    right, wrong = (JudgedReply(agreement=float(a), exact=a, facts=a) for a in (True, False))
    pair = {
        (b, a): JudgedRow(id="r", slice="general", parent=b, candidate=a)
        for b in (right, wrong)
        for a in (right, wrong)
    }
    for _ in range(1000):
        drawn = chance.choices([pair[right, wrong], pair[wrong, right], pair[right, right]], (0.05, 0.02, 0.93), k=200)
        difference = slice_changes(Evaluation(candidate_finite=True, rows=tuple(drawn)))["general"].exact.difference
        held += difference.lower <= -0.03 <= difference.upper
    assert 0.95 - 3 * 0.007 <= held / 1000 <= 0.95 + 3 * 0.007
