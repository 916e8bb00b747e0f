"""Copies are chosen by hash, and asked as the client asked."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback.events import Exchange, PhaseArm
from feedback.shadow.config import ShadowConfig
from feedback.shadow.pairing import Arms, Valued, comparable_texts, plan, side, wanted
from tests.feedback.factory import Directory, ScriptedEngine, exchange


@given(st.floats(0, 1))
def test_the_share_of_copies_is_the_rate(rate: float) -> None:
    arms = Arms(to_student=rate)
    chosen = sum(wanted(exchange(n), arms) for n in range(400))
    assert abs(chosen / 400 - rate) < 0.1


def test_an_experiment_brings_its_own_rate() -> None:
    arms = Arms(to_student=0.0, experiments={"exp": 1.0})
    assert wanted(exchange(1, experiment="exp"), arms)
    assert not wanted(exchange(1), arms)


def test_a_student_reply_is_paired_with_its_own_version() -> None:
    directory = Directory(students=[ScriptedEngine("v1"), ScriptedEngine("v2")], candidate="v2")
    arms = directory.arms()
    assert arms
    made = plan(exchange(1, arm="student", version="v2", redacted=True), arms, ShadowConfig())
    assert made
    assert made.student
    assert made.student.version == "v2"


@pytest.mark.parametrize(
    ("params", "tokens", "anew"),
    [
        ({"temperature": "0.0", "max_tokens": "12.0"}, 12, False),
        ({"temperature": "0.5", "max_completion_tokens": 7.0}, 7, True),
        ({"temperature": {}, "max_tokens": "many"}, 128, True),
        ({"temperature": "nan", "max_tokens": 10**400}, 128, True),
        ({"temperature": 0, "max_tokens": True}, 1, False),
        ({"temperature": 0, "max_tokens": 9, "frequency_penalty": 0.0, "logit_bias": {}}, 9, False),
        ({"temperature": 0, "max_tokens": 9, "frequency_penalty": 0.5}, 9, True),
        ({"temperature": 0, "max_tokens": 9, "response_format": {"type": "json_object"}}, 9, True),
        ({"temperature": 0, "max_tokens": 9, "seed": 3, "top_p": 0.5}, 9, False),
    ],
)
def test_parameters_are_read_as_an_engine_reads_them(params: dict[str, Any], tokens: int, anew: bool) -> None:
    arms = Directory().arms()
    assert arms
    made = plan(exchange(1, params=params), arms, ShadowConfig())
    assert made
    assert (made.max_tokens, made.teacher is not None) == (tokens, anew)


def test_nobody_to_ask_means_no_plan() -> None:
    assert plan(exchange(1), Arms(), ShadowConfig()) is None
    assert plan(exchange(1, arm="student"), Arms(), ShadowConfig()) is None


def test_limits_and_stops_of_the_request_are_kept() -> None:
    arms = Directory().arms()
    assert arms
    made = plan(exchange(1, params={"temperature": 0, "max_tokens": 9999, "stop": ["。"]}), arms, ShadowConfig())
    assert made
    assert (made.max_tokens, made.sampling) == (128, {"stop": ["。"]})


def test_replies_cut_by_their_limit_are_compared_at_one_length() -> None:
    assert comparable_texts("一二三四", "一二", cut=True) == ("一二", "一二")
    assert comparable_texts("一二三四", "一二", cut=False) == ("一二三四", "一二")


@pytest.mark.parametrize(
    "what",
    [{"flagged": True}, {"shadow": False}, {"status": 500}, {"api": "completion"}, {"finish_reason": "tool_calls"}],
)
def test_what_cannot_or_may_not_be_compared_is_not_asked_again(what: dict[str, Any]) -> None:
    arms = Arms(to_student=1.0, to_teacher=1.0)
    assert wanted(exchange(1), arms)
    assert not wanted(exchange(1).model_copy(update=what), arms)


def test_a_pair_is_evidence_for_the_side_of_the_canary_whose_version_replied() -> None:
    arms = Directory(students=[ScriptedEngine("v1"), ScriptedEngine("v2")], candidate="v2", step=3).arms()
    new, old = (exchange(1, arm="student", version=v, rollout=f"v2:3:{s}") for v, s in (("v2", "new"), ("v1", "old")))
    assert (side(new, "v2", arms), side(old, "v1", arms)) == ("v2:3:new", "v2:3:old")
    assert side(new, "v1", arms) is None  # the stable version stood in
    assert side(exchange(1, arm="student", version="v1"), "v1", arms) is None  # asked for by its name
    assert side(exchange(1, arm="student", version="v2", rollout="v2:2:new"), "v2", arms) is None  # a step that is over
    assert side(exchange(1), "v2", arms) == "v2:3.copies:new"
    assert side(exchange(1), "v1", arms) == "v2:3.copies:old"
    assert side(exchange(1), "v0", arms) is None
    assert side(exchange(1), "v1", Directory(candidate="v2").arms()) is None
    assert side(exchange(1), "v1", None) is None


WHOLE = ("teacher", "stable", "candidate")


def counted(n: int = 1, **changes: Any) -> Exchange:
    """An exchange of an experiment with switches."""
    return exchange(n, experiments=(PhaseArm(experiment="e", phase=1, arm="none", layer="observe"),), **changes)


def both(share: float = 1.0, answers: tuple[str, ...] = WHOLE, **more: Any) -> Directory:
    given = {"students": [ScriptedEngine("v1"), ScriptedEngine("v2")], "candidate": "v2", **more}
    return Directory(coalitions={"e": Valued(share, answers)}, **given)


def planned(one: Exchange, directory: Directory) -> tuple[str, ...] | None:
    """Versions that are asked on a copy for the coalitions of its switches; None: they are not valued on it."""
    arms = directory.arms()
    made = plan(one, arms, ShadowConfig()) if arms else None
    if made is None or made.valued is None:
        return None
    return tuple(target.version for target in (made.teacher, made.student, made.valued.other) if target is not None)


@pytest.mark.parametrize("version", ["t1", "v1", "v2"])
def test_everybody_who_answers_in_some_cell_is_asked_anew_whoever_answered(version: str) -> None:
    arm = "teacher" if version == "t1" else "student"
    asked = planned(counted(version=version, arm=arm), both())
    assert asked
    assert sorted(asked) == ["t1", "v1", "v2"]


def test_coalitions_are_valued_on_a_share_of_the_copies_of_their_experiment() -> None:
    assert sum(planned(counted(n), both(0.25)) is not None for n in range(400)) == pytest.approx(100, abs=30)
    assert planned(exchange(1), both()) is None
    assert planned(counted(), both(0.0)) is None


def test_without_the_switch_of_the_candidate_the_stable_student_is_enough() -> None:
    routing = ("teacher", "student")
    assert planned(counted(), both(1.0, routing, candidate=None)) == ("t1", "v1")
    assert planned(counted(version="v2", arm="student"), both(1.0, routing)) == ("t1", "v2", "v1")


def test_coalitions_are_not_valued_where_one_who_answers_is_not_there() -> None:
    assert planned(counted(), both(candidate=None)) is None
    assert planned(counted(), both(teacher=None)) is None
    pinned = both(students=[ScriptedEngine("v1"), ScriptedEngine("v2"), ScriptedEngine("v7")])
    assert planned(counted(version="v7", arm="student"), pinned) is None
    assert planned(counted(), both(students=[ScriptedEngine("v2")])) is None
