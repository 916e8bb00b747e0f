"""Of two judgements the worse one stands, and what was left out stays known."""

from __future__ import annotations

from serving.guard.verdict import GuardJudgement, GuardVerdict, worst

ALLOWED = GuardJudgement(score=3.0)
FLAGGED = GuardJudgement(GuardVerdict.FLAG, "model", 1.0, 0.5)


def test_the_worse_verdict_stands_whatever_the_scores() -> None:
    assert worst(ALLOWED, FLAGGED) is worst(FLAGGED, ALLOWED) is FLAGGED


def test_between_equal_verdicts_the_higher_score_stands() -> None:
    assert worst(GuardJudgement(score=-1.0), ALLOWED) is ALLOWED


def test_a_part_that_was_left_out_stays_known() -> None:
    found = worst(GuardJudgement(score=-1.0, partial=True), FLAGGED)
    assert found == GuardJudgement(GuardVerdict.FLAG, "model", 1.0, 0.5, True)
