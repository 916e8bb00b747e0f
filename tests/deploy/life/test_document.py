"""The routing document from state and reports: views, shares, experiments, and what a change is called."""

from __future__ import annotations

from typing import Any

import pytest

from ab.experiment import Experiment, When
from deploy.life.config import RolloutConfig, RolloutStep
from deploy.life.document import Settings, build, reason, same, share
from deploy.life.state import CanaryState, ControlState
from deploy.routing.document import Heartbeat, RouterConfig, RoutingDocument, SlotView

STATE = ControlState(stable="v2", previous=("v1",), slots={"student-a": "v2", "student-b": "v1"}, teacher="t1")
SETTINGS = Settings(rollout=RolloutConfig(steps=(RolloutStep(share=0.05), RolloutStep(share=0.5))))
BEAT = Heartbeat(slot="student-a", url="http://127.0.0.1:1", model="m", state="serving", version="v2", ready=True)
VIEW = SlotView(desired="v0", url="http://127.0.0.1:2", model="m", version="v1", ready=True)


def built(state: ControlState = STATE, **given: Any) -> RoutingDocument:
    asked = {"beats": {}, "former": {}, "experiments": (), "settings": SETTINGS, **given}
    return build(state, **asked)


def test_a_slot_is_what_it_reports_else_what_it_was_else_only_wanted() -> None:
    told = BEAT.model_copy(update={"control_tokens": ("<|end|>",)})
    assert built(beats={"student-a": told}).slots["student-a"].control_tokens == ("<|end|>",)
    slots = built(beats={"student-a": BEAT}, former={"student-a": VIEW, "student-b": VIEW}).slots
    assert slots["student-a"] == SlotView(desired="v2", url=BEAT.url, model="m", version="v2", ready=True)
    assert slots["student-b"] == VIEW.model_copy(update={"desired": "v1"})
    assert slots["teacher"] == SlotView(desired="t1")


def test_a_teacher_that_somebody_else_runs_is_as_configured() -> None:
    settings = Settings(teacher=VIEW)
    assert built(STATE.model_copy(update={"teacher": "external"}), settings=settings).slots["teacher"] == VIEW


@pytest.mark.parametrize(("step", "expected"), [(-1, 0.0), (0, 0.05), (1, 0.5), (2, 0.5)])
def test_a_candidate_has_the_share_of_its_step_and_none_while_it_loads(step: int, expected: float) -> None:
    state = STATE.model_copy(update={"canary": CanaryState(version="v3", step=step)})
    assert share(state, SETTINGS.rollout) == expected
    assert (built(state).candidate, built(state).candidate_share) == ("v3", expected)
    assert share(STATE, SETTINGS.rollout) == 0.0


def test_an_applied_experiment_replaces_a_configured_one_of_its_id() -> None:
    given = tuple(Experiment(id=name, arms={"teacher": 1.0}, when=When(tenant=name)) for name in ("a", "b"))
    applied = Experiment(id="a", arms={"student": 1.0})
    settings = Settings(router=RouterConfig(experiments=given))
    assert built(settings=settings, experiments=(applied,)).experiments == (given[1], applied)


def test_lines_of_business_keep_their_order_and_another_order_routes_otherwise() -> None:
    lines = {"shop": When(tenant="shop"), "all-else": When()}
    one, turned = (
        built(settings=Settings(router=RouterConfig(lines=dict(given))))
        for given in (lines.items(), reversed(lines.items()))
    )
    assert one.lines == tuple(lines.items())
    assert RoutingDocument.model_validate_json(one.model_dump_json()).lines == one.lines
    assert not same(one, turned)


def test_documents_route_alike_whatever_their_number_time_and_reason() -> None:
    one = built()
    assert same(one, one.model_copy(update={"epoch": 9, "created": 1.0, "reason": "x"}))
    assert not same(one, one.model_copy(update={"stable": "v1"}))


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"stable": "v3", "frozen": ("promotion",)}, "stable v2 -> v3"),
        ({"candidate": "v3", "candidate_share": 0.05}, "candidate v3 at 5%"),
        ({"frozen": ("learning", "student")}, "frozen: learning, student"),
        ({"experiments": (Experiment(id="a", arms={"teacher": 1.0}),)}, "experiments"),
        ({"slots": {**built().slots, "student-a": VIEW}}, "slots: student-a"),
        ({"default": {"student": 1.0}}, "settings"),
    ],
)
def test_a_change_is_named(change: dict[str, Any], why: str) -> None:
    assert reason(built(), built().model_copy(update=change)) == why


def test_thawing_and_the_first_document_are_named() -> None:
    frozen = built().model_copy(update={"frozen": ("student",)})
    assert reason(frozen, built()) == "frozen: nothing"
    assert reason(None, built()) == "first document"
