"""A student that is not fit yet answers nobody, by no name and no share."""

from __future__ import annotations

from typing import Any

import pytest

from ab.experiment import Experiment
from deploy.routing.document import RoutingDocument, SlotView
from serving.gateway.routing import Ask, Decision, NoArm, StudentUnfit, model_names, route


def view(version: str) -> SlotView:
    return SlotView(desired=version, url="http://e", model="m", version=version, ready=True)


def doc(**fields: Any) -> RoutingDocument:
    """A teacher and an unfit student whose slot serves copies."""
    slots = {"teacher": view("t1"), "student-a": view("v1"), "student-b": SlotView()}
    return RoutingDocument(**{"epoch": 1, "teacher": "t1", "unfit": "v1", "slots": slots, **fields})


def ask(model: str = "auto", user: str = "u") -> Ask:
    return Ask(model=model, session="s", request="r", user=user)


def where(decision: Decision) -> tuple[str, str]:
    return decision.arm, decision.version


@pytest.mark.parametrize("model", ["student", "student:v1", "bot", "pinned"])
def test_every_name_of_an_unfit_student_is_refused_with_the_reason(model: str) -> None:
    document = doc(aliases={"bot": "student", "pinned": "student:v1"})
    with pytest.raises(StudentUnfit, match=r"v1 is not fit yet.*understudy status") as refused:
        route(document, ask(model))
    assert (refused.value.status, refused.value.code) == (503, "student_unfit")


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_auto_is_answered_by_the_teacher_whatever_the_students_share(share: float) -> None:
    document = doc(default={"teacher": 1 - share, "student": share})
    assert {where(route(document, ask(user=str(n)))) for n in range(300)} == {("teacher", "t1")}


def test_an_unfit_student_never_stands_in_for_a_teacher_that_fails() -> None:
    with pytest.raises(NoArm):
        route(doc(), ask(), avoid="teacher")
    with pytest.raises(NoArm):
        route(doc(slots={"student-a": view("v1")}), ask())


def test_the_student_arm_of_an_experiment_is_refused_and_its_teacher_arm_answered() -> None:
    document = doc(experiments=(Experiment(id="half", arms={"teacher": 0.5, "student": 0.5}),))
    seen = set()
    for n in range(200):
        try:
            decision = route(document, ask(user=str(n)))
        except StudentUnfit:
            seen.add("refused")
        else:
            assert (decision.assigned, decision.fell_back) == ("teacher", False)
            seen.add(where(decision)[1])
    assert seen == {"refused", "t1"}


@pytest.mark.parametrize("serve", ["student", "student:v1", "candidate"])
def test_whatever_an_arm_serves_of_the_student_is_refused(serve: str) -> None:
    arms = {"a": {"share": 1.0, "serve": serve}}
    with pytest.raises(StudentUnfit):
        route(doc(experiments=(Experiment.model_validate({"id": "pinned", "arms": arms}),)), ask())


def test_an_experiments_student_arm_goes_to_the_teacher_while_the_student_is_frozen() -> None:
    document = doc(experiments=(Experiment(id="all", arms={"student": 1.0}),), frozen=("student",))
    assert where(route(document, ask())) == ("teacher", "t1")
    assert where(route(document, ask("student"))) == ("teacher", "t1")


def test_its_names_are_not_listed() -> None:
    assert model_names(doc()) == ["auto", "teacher"]
    assert model_names(doc(unfit=None, stable="v1")) == ["auto", "teacher", "student", "student:v1"]


def test_a_fit_candidate_of_an_unfit_student_gets_its_share_and_the_rest_is_the_teachers() -> None:
    slots = {"teacher": view("t1"), "student-a": view("v1"), "student-b": view("v2")}
    for share in (0.0, 0.5):
        default = {"teacher": 1 - share, "student": share}
        document = doc(slots=slots, candidate="v2", candidate_share=0.5, default=default)
        found = {where(route(document, ask(user=str(n)))) for n in range(300)}
        assert found == {("teacher", "t1"), ("student", "v2")}
    with pytest.raises(StudentUnfit):
        route(document, ask("student"))


@pytest.mark.parametrize("share", [0.0, 0.5])
def test_a_first_candidate_is_compared_with_the_teacher_that_stands_in(share: float) -> None:
    slots = {"teacher": view("t1"), "student-a": view("v1"), "student-b": view("v2")}
    default = {"teacher": 1 - share, "student": share}
    document = doc(slots=slots, candidate="v2", candidate_share=0.5, candidate_step=0, default=default)
    told = [route(document, ask(user=str(n))) for n in range(300)]
    sides = {(found.version, found.rollout) for found in told if found.rollout is not None}
    assert sides == {("t1", "v2:0:old"), ("v2", "v2:0:new")}
