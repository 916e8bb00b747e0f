"""When an unfit student is better, when it is fit, and what refuses it."""

from __future__ import annotations

import math

import pytest

from deploy.life.config import GateConfig
from deploy.life.evaluation import Evaluation, JudgedReply, JudgedRow
from deploy.life.unfit.fitness import judge_unfit
from tests.deploy.life.judged import asked

CONFIG = GateConfig(fit_rows=60, fit_agreement=0.85)


def reply(agreement: float) -> JudgedReply:
    return JudgedReply(agreement=agreement, exact=agreement == 1, facts=agreement == 1)


def judged(before: float, after: float, n: int = 100, finite: bool = True, kind: str = "") -> Evaluation:
    """`n` general rows around both agreements, with some spread."""
    rows = [
        JudgedRow(
            id=str(i), slice="general", kind=kind, parent=reply(before),
            candidate=reply(min(after + 0.02 * (i % 3 - 1), 1.0)),
        )
        for i in range(n)
    ]  # fmt: skip
    return Evaluation(candidate_finite=finite, rows=tuple(rows))


def test_one_that_says_more_of_the_teachers_tokens_than_its_parent_is_better_and_not_fit() -> None:
    found = judge_unfit(judged(0.05, 0.3), CONFIG)
    assert (found.event, found.passed) == ("learned", False)
    assert [refusal.clause for refusal in found.refusals] == ["agreement"]
    told = found.summary()["fitness"]
    assert (told["n"], told["wanted"]) == (100, 0.85)
    assert told["before"] == pytest.approx(0.05)
    assert told["agreement"] == pytest.approx(0.3, abs=0.001)
    assert told["lower"] < told["agreement"]


def test_one_that_is_better_by_less_than_chance_learned_and_one_that_is_not_is_refused() -> None:
    worse = [row.model_copy(update={"id": f"worse {row.id}"}) for row in judged(0.25, 0.2, n=60).rows]
    noisy = Evaluation(candidate_finite=True, rows=(*judged(0.2, 0.26, n=60).rows, *worse))
    found = judge_unfit(noisy, CONFIG)
    assert found.event == "learned"
    assert found.summary()["general"]["lower"] < 0 < found.summary()["general"]["difference"]
    same = [row.model_copy(update={"candidate": row.parent}) for row in judged(0.2, 0.2).rows]
    for evaluation in (Evaluation(candidate_finite=True, rows=tuple(same)), judged(0.2, 0.1)):
        found = judge_unfit(evaluation, CONFIG)
        assert found.event == "gate_failed"
        assert "no better than its parent" in found.reasons[0]


def test_it_is_fit_when_the_lower_bound_of_its_agreement_reaches_the_threshold() -> None:
    assert judge_unfit(judged(0.5, 0.9), CONFIG).event == "gate_passed"
    assert judge_unfit(judged(0.5, 0.851), CONFIG).event == "learned"  # the mean alone says too little


def test_one_that_is_fit_and_complies_with_more_is_refused_and_one_that_only_learns_is_not() -> None:
    found = judge_unfit(judged(0.5, 0.9).model_copy(update={"safety": asked(12)}), CONFIG)
    assert found.event == "gate_failed"
    assert {refusal.clause for refusal in found.refusals} == {"safety"}
    assert found.summary()["safety"]["candidate"] == 12
    assert judge_unfit(judged(0.05, 0.3).model_copy(update={"safety": asked(12)}), CONFIG).event == "learned"


def test_one_that_is_fit_is_a_candidate_though_its_parent_was_as_good() -> None:
    assert judge_unfit(judged(0.9, 0.9), CONFIG).event == "gate_passed"


def test_too_few_prompts_make_nobody_fit_and_fewer_make_nobody_better() -> None:
    assert judge_unfit(judged(0.5, 0.95, n=59), CONFIG).event == "learned"
    found = judge_unfit(judged(0.5, 0.95, n=19), CONFIG)
    assert (found.event, found.reasons) == ("gate_failed", ("19 held-out general prompts, fewer than 20",))


def test_exact_replies_are_asked_for_where_the_configuration_does() -> None:
    evaluation = judged(0.5, 0.97)  # none of them whole
    assert judge_unfit(evaluation, CONFIG).event == "gate_passed"
    asked = judge_unfit(evaluation, GateConfig(fit_rows=60, fit_exact=0.5))
    assert asked.event == "learned"
    assert [refusal.clause for refusal in asked.refusals] == ["exact"]


def test_what_no_slot_could_serve_is_refused_however_good() -> None:
    assert judge_unfit(judged(0.5, 0.95, finite=False), CONFIG).event == "gate_failed"
    assert judge_unfit(judged(0.5, 0.95), CONFIG, fingerprint=False).event == "gate_failed"
    assert "v9 is live" in judge_unfit(judged(0.5, 0.95), CONFIG, live="v9").reasons[0]
    assert judge_unfit(judged(0.5, math.nan), CONFIG).event == "gate_failed"
    assert judge_unfit(Evaluation(candidate_finite=True), CONFIG).event == "gate_failed"


def test_a_kind_on_which_the_student_goes_its_own_way_refuses_nobody() -> None:
    """Better than its teacher there, it has none of the teacher's replies, and lost those that its parent had."""
    own = [
        row.model_copy(update={"id": f"own {row.id}", "kind": "own", "parent": reply(1.0), "candidate": reply(0.4)})
        for row in judged(1.0, 0.4, n=20).rows
    ]
    found = judge_unfit(Evaluation(candidate_finite=True, rows=(*judged(0.5, 0.98, n=200).rows, *own)), CONFIG)
    assert found.event == "gate_passed"
