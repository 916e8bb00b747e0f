"""Switches and the cells that they make."""

from __future__ import annotations

from pathlib import Path

import pytest

from ab.experiment import Experiment
from ab.files import read_experiment
from ab.switches import answers, cells, members, of_reply, seed_of, serves


def test_the_cells_are_all_crossings_with_the_product_of_their_shares() -> None:
    found = cells({"routing": 0.5, "candidate": 0.2})
    assert found == pytest.approx({"none": 0.4, "candidate": 0.1, "routing": 0.4, "routing+candidate": 0.1})
    assert next(iter(found)) == "none"
    assert [members(name) for name in found] == [
        frozenset(), frozenset({"candidate"}), frozenset({"routing"}), frozenset({"routing", "candidate"}),
    ]  # fmt: skip
    assert len(cells({str(n): 0.5 for n in range(6)})) == 64


def test_who_answers_follows_the_switches_that_there_are() -> None:
    both = ("routing", "candidate")
    assert [serves(cell, both) for cell in ("none", "candidate", "routing", "routing+candidate")] == [
        "teacher", "teacher", "stable", "candidate",
    ]  # fmt: skip
    assert [serves(cell, ("routing",)) for cell in ("none", "routing")] == ["teacher", "student"]
    assert [serves(cell, ("candidate",)) for cell in ("none", "candidate")] == ["stable", "candidate"]


def test_all_who_answer_are_named_once_from_all_off_to_all_on() -> None:
    assert answers(("routing", "candidate")) == answers(("candidate", "routing")) == ("teacher", "stable", "candidate")
    assert (answers(("routing",)), answers(("candidate",))) == (("teacher", "student"), ("stable", "candidate"))


def test_the_guard_says_not_who_answers() -> None:
    all_three = ("routing", "guard", "candidate")
    assert [serves(cell, all_three) for cell in ("none", "guard", "routing+guard", "routing+guard+candidate")] == [
        "teacher", "teacher", "stable", "candidate",
    ]  # fmt: skip
    assert answers(all_three) == answers(("routing", "candidate")) == ("teacher", "stable", "candidate")
    assert [serves(cell, ("guard",)) for cell in ("none", "guard")] == ["", ""]
    assert of_reply(all_three) == ["routing", "candidate"]
    three = Experiment.model_validate({"id": "e", "switches": {"routing": 0.5, "candidate": 0.5, "guard": 0.2}})
    assert len(three.arms) == 8
    assert three.shares["routing+candidate+guard"] == pytest.approx(0.05)
    assert (three.guarded("routing+guard"), three.guarded("routing")) == (True, False)
    assert Experiment.model_validate(three.model_dump(mode="json", exclude_none=True)) == three


def test_the_guard_alone_leaves_it_to_the_router_who_answers() -> None:
    alone = Experiment.model_validate({"id": "e", "switches": {"guard": 0.5}})
    assert (alone.layer, alone.serves, alone.says_who) == ("arm", {}, False)
    assert alone.shares == {"none": 0.5, "guard": 0.5}
    assert Experiment.model_validate(alone.model_dump(mode="json", exclude_none=True)) == alone
    other = Experiment.model_validate({"id": "e", "switches": {"routing": 0.5}})
    assert (other.says_who, other.guarded("routing")) == (True, None)


def test_switches_of_the_layer_observe_decide_nothing() -> None:
    given = {"id": "e", "layer": "observe", "switches": {"routing": 0.5}, "shadow": {"coalitions": 0.1}}
    made = Experiment.model_validate(given)
    assert (made.serves, made.shares) == ({}, {"none": 0.5, "routing": 0.5})
    assert Experiment.model_validate(made.model_dump(mode="json", exclude_none=True)) == made
    example = read_experiment(Path(__file__).parents[2] / "docs" / "examples" / "attribution-on-copies.yaml")
    assert (example.layer, list(example.switches), example.shadow.coalitions) == (
        "observe",
        ["routing", "candidate"],
        0.2,
    )


def test_each_switch_has_a_seed_of_its_own() -> None:
    assert len({seed_of("e", switch) for switch in ("routing", "candidate", "guard")}) == 3


def test_switches_stand_in_the_place_of_arms() -> None:
    made = Experiment.model_validate({"id": "e", "switches": {"routing": 0.5, "candidate": 0.5}})
    assert made.serves == {
        "none": "teacher", "candidate": "teacher", "routing": "stable", "routing+candidate": "candidate",
    }  # fmt: skip
    assert made.shares == dict.fromkeys(made.serves, 0.25)
    assert Experiment.model_validate(made.model_dump(mode="json", exclude_none=True)) == made


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"switches": {"routing": 0.5}, "arms": {"teacher": 1.0}}, "leave `arms` out"),
        ({"switches": {"routing": 1.0}}, "between 0 and 1"),
        ({"switches": {"gaurd": 0.5}}, "'routing', 'candidate' or 'guard'"),
        ({"switches": {"guard": 0.5}, "shadow": {"coalitions": 0.1}}, "add `routing` or `candidate`"),
        (
            {"switches": {"guard": 0.5, "routing": 0.5}, "layer": "observe", "shadow": {"coalitions": 0.1}},
            "take `guard` out",
        ),
        ({"switches": {"routing": 0.5}, "layer": "observe"}, "layer `arm`"),
        ({"arms": {"teacher": 1.0}, "shadow": {"coalitions": 0.1}}, "name them in `switches`"),
        (
            {"switches": {"routing": 0.5}, "ramp": [{"hours": 1, "arms": {"none": 0.5, "routing": 0.5}}]},
            "switches have no ramp",
        ),
        ({"switches": {}}, "arms"),
    ],
)
def test_a_wrong_factorial_is_refused_with_why(given: dict[str, object], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        Experiment.model_validate({"id": "e", **given})
