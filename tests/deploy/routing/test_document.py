"""The routing document as it is given, written and read back, and who serves by it."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from ab.experiment import Arm
from deploy.routing.document import RouterConfig, RoutingDocument, SlotView

V1 = SlotView(desired="v1", url="http://127.0.0.1:1", model="m", version="v1", ready=True)


def test_a_split_may_be_an_arm_or_shares_of_both() -> None:
    assert RouterConfig.model_validate({"default": "student"}).default == {"student": 1.0}
    given = {"teacher": 0.25, "student": 0.75}
    assert RouterConfig.model_validate({"default": given}).default == given


@pytest.mark.parametrize("given", [{}, {"teacher": 0.5}, {"teacher": 1.5, "student": -0.5}, "nobody"])
def test_shares_that_are_no_split_are_refused(given: object) -> None:
    with pytest.raises(ValidationError, match="default"):
        RouterConfig.model_validate({"default": given})


@pytest.mark.parametrize("other", [{"ready": False}, {"version": None}, {"version": "v2"}, {"desired": None}])
def test_a_slot_serves_only_when_it_is_ready_with_what_is_wanted(other: dict[str, object]) -> None:
    assert V1.serves
    assert not V1.model_copy(update=other).serves


@pytest.mark.parametrize(
    ("version", "arm", "slot"),
    [("v1", "student", "student-b"), ("t1", "teacher", "teacher"), ("v1", "teacher", None), ("t1", "student", None),
     ("v2", "student", None), (None, "student", None)],
)  # fmt: skip
def test_a_version_is_served_by_the_slot_of_its_arm(version: str | None, arm: Arm, slot: str | None) -> None:
    loading = V1.model_copy(update={"desired": "v2", "version": "v2", "ready": False})
    teacher = V1.model_copy(update={"desired": "t1", "version": "t1"})
    document = RoutingDocument(slots={"teacher": teacher, "student-a": loading, "student-b": V1})
    assert document.slot_of(version, arm) == (None if slot is None else document.slots[slot])


def test_a_key_of_an_engine_is_never_written_or_shown() -> None:
    document = RoutingDocument(slots={"teacher": V1.model_copy(update={"api_key": "sk-geheim"})})
    assert "geheim" not in document.model_dump_json() + repr(document)
    assert RoutingDocument.model_validate_json(document.model_dump_json()).slots["teacher"] == V1


def test_a_field_of_a_later_release_is_passed_over() -> None:
    assert RoutingDocument.model_validate({"epoch": 3, "later": {"x": 1}}) == RoutingDocument(epoch=3)


def test_lines_of_business_are_few_and_take_no_name_of_ours() -> None:
    given = RouterConfig.model_validate({"lines": {"shop": {"tenant": "shop"}, "bank": {}}})
    assert list(given.lines) == ["shop", "bank"]
    for wrong in ({"all": {}}, {"other": {}}, {"a:b": {}}, {f"l{n}": {} for n in range(9)}, {"shop": {"tennant": "x"}}):
        with pytest.raises(ValidationError, match="lines"):
            RouterConfig.model_validate({"lines": wrong})
