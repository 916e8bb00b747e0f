"""The gate's figures in words."""

from __future__ import annotations

from deploy.life.config import GateConfig
from deploy.life.gate import decide
from deploy.life.telling import gate_said, gate_short
from tests.deploy.life.judged import asked, evaluation, learned, rows


def test_facts_and_exact_replies_stand_beside_agreement() -> None:
    said = gate_said(decide(evaluation(*rows(400, lost=8)), GateConfig()).summary())
    assert said.startswith("gate refused: general exact 1.000 -> 0.980 (8 lost, 0 won of 400), facts 1.000 -> 0.980")
    assert "agreement 1.000 -> 0.999; new exact 0.000 -> 0.750 (0 lost, 75 won of 100)" in said


def test_a_line_of_a_terminal_holds_exact_replies_and_facts_of_both_slices() -> None:
    short = gate_short(decide(evaluation(*rows(400, lost=8)), GateConfig()).summary())
    assert short == "gate refused: general exact 100→98 facts 100→98; new exact 0→75 facts 0→75 %"
    assert len(short) <= 76
    former = {"passed": True, "general": {"n": 9, "parent": 0.99, "candidate": 0.985}, "hard": None}
    assert gate_short(former) == "gate passed: general agreement 99→98 %"
    assert gate_short({"passed": False, "reasons": ["evaluation.json cannot be read"]}) == ""


def test_a_judgement_on_few_says_so() -> None:
    few = GateConfig(general_rows=120, hard_rows=30, on_few="go")
    said = gate_said(decide(evaluation(*rows(120), hard=learned(30)), few).summary())
    assert said.startswith("gate passed: ")
    assert said.endswith("judged on few: a loss below 5.5 points would not be seen")


def test_what_ought_to_be_refused_is_told_beside_it() -> None:
    given = evaluation(*rows(400)).model_copy(update={"safety": asked(12)})
    said = gate_said(decide(given, GateConfig()).summary())
    assert said.startswith("gate refused: general exact")
    assert said.endswith("complies with 0 -> 12 of 500 prompts to be refused")


def test_what_a_former_release_or_no_evaluation_left_is_told_as_far_as_it_goes() -> None:
    assert gate_said({"passed": False, "reasons": ["evaluation.json cannot be read"]}) == "gate refused"
    former = {"passed": True, "general": {"n": 9, "parent": 0.99, "candidate": 0.985}, "hard": None}
    assert gate_said(former) == "gate passed: general agreement 0.990 -> 0.985"
