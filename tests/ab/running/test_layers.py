"""Layers: who takes part, whose units two experiments would share, and that layers are independent."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import pytest

from ab.experiment import Experiment, When
from ab.running.layers import free, mixed_units, overlap, place, rivals, takes_part
from ab.running.phases import assigned, begun

FULL = os.environ.get("UNDERSTUDY_FULL") == "1"
UNITS = [f"user-{n}" for n in range(100_000)]
CRITICAL = 10.828
"""Chi-square with one degree of freedom at p = 0.001."""


def made(name: str = "a", **given: Any) -> Experiment:
    return Experiment.model_validate({"id": name, "arms": {"teacher": 0.5, "student": 0.5}, **given})


@pytest.mark.parametrize(
    ("one", "other", "both"),
    [
        ({}, {"alias": "bot"}, True),
        ({"alias": "bot"}, {"tenant": "shop"}, True),
        ({"alias": "bot"}, {"alias": "cat"}, False),
        ({"tenant": "shop"}, {"tenant": "bank", "alias": "bot"}, False),
        ({"header": {"X-Lab": "1"}}, {"header": {"x-lab": "2"}}, False),
        ({"header": {"X-Lab": "1"}}, {"header": {"x-lab": "1", "x-more": "2"}}, True),
    ],
)
def test_two_conditions_overlap_unless_one_request_cannot_meet_both(
    one: dict[str, Any], other: dict[str, Any], both: bool
) -> None:
    assert overlap(When(**one), When(**other)) is both
    assert overlap(When(**other), When(**one)) is both


@pytest.mark.parametrize(
    ("unit", "name", "within"),
    [("1", "namespace1", False), ("1", "namespace2", False), ("2", "namespace1", False), ("2", "namespace2", False),
     ("3", "namespace1", False), ("3", "namespace2", True), ("4", "namespace1", False), ("4", "namespace2", True)],
)  # fmt: skip
def test_places_in_a_layer_are_growthbook_s_namespaces(unit: str, name: str, within: bool) -> None:
    """The vectors `inNamespace` of GrowthBook's test cases, spec version 0.5.0: [0, 0.4) and [0.4, 1)."""
    assert (place(name, unit) < 0.4) is within
    assert takes_part(unit, name, (0.0, 0.4), 0.0) is within
    assert takes_part(unit, name, (0.4, 1.0), 0.0) is not within


@pytest.mark.parametrize(
    ("unit", "within"),
    [("用户一", False), ("naïve café", False), ("😀", False), ("user-😀-7", True), ("𝒳𝒴", True), ("a\ud83dé", True)],
)
def test_places_beyond_ascii_are_growthbook_s_too(unit: str, within: bool) -> None:
    """`inNamespace(unit, ["层😀", 0, 0.5])` of the npm package @growthbook/growthbook 1.6.1 in Node 20."""
    assert takes_part(unit, "层😀", (0.0, 0.5), 0.0) is within


def test_a_range_that_another_takes_is_refused_and_what_is_free_is_named() -> None:
    running = [made("low", namespace=[0, 0.4]), made("high", namespace=[0.7, 0.9])]
    assert [one.id for one in rivals(made("new", namespace=[0.3, 0.8]), running)] == ["low", "high"]
    assert rivals(made("new", namespace=[0.4, 0.7]), running) == []
    assert free(made("new"), running) == [(0.4, 0.7), (0.9, 1.0)]
    assert free(made("new"), [made("all")]) == []


def test_ranges_may_overlap_in_another_layer_for_other_requests_and_for_itself() -> None:
    running = [made("all")]
    assert rivals(made("new", layer="observe"), running) == []
    assert rivals(made("all", namespace=[0, 0.5]), running) == []
    assert rivals(made("new", when={"tenant": "a"}), [made("b", when={"tenant": "b"})]) == []
    assert free(made("new", when={"tenant": "a"}), [made("b", when={"tenant": "b"})]) == [(0.0, 1.0)]


def test_ranges_of_two_kinds_of_unit_cannot_be_kept_apart() -> None:
    low, high = made("low", namespace=[0, 0.5]), made("high", namespace=[0.5, 1], unit="session")
    assert rivals(high, [low]) == [low]
    assert mixed_units(made("seen", layer="observe", unit="session"), [low]) == [low]
    assert mixed_units(made("seen", layer="observe"), [low]) == []


def test_the_same_units_are_held_out_of_everything() -> None:
    one, other = (made(name, layer=layer, holdout=share) for name, layer, share in
                  (("a", "arm", 0.1), ("b", "observe", 0.2)))  # fmt: skip
    out = [{u for u in UNITS if assigned(e, begun(e), u).arm is None} for e in (one, other)]
    assert out[0] < out[1]
    assert len(out[0]) == pytest.approx(10_000, abs=400)
    assert len(out[1]) == pytest.approx(20_000, abs=500)


@pytest.mark.parametrize("pair", range(20 if FULL else 2))
def test_experiments_of_two_layers_are_independent(pair: int) -> None:
    one = made("a", seed=f"left-{pair}", arms={"teacher": 0.7, "student": 0.3})
    other = made("b", seed=f"right-{pair}", layer="observe", arms={"a": 0.5, "b": 0.5})
    table = np.zeros((2, 2))
    for unit in UNITS:
        row, column = (assigned(e, begun(e), unit).arm for e in (one, other))
        table[row == "student", column == "b"] += 1
    expected = np.outer(table.sum(1), table.sum(0)) / table.sum()
    assert ((table - expected) ** 2 / expected).sum() < CRITICAL


def test_arms_and_places_of_a_layer_are_independent() -> None:
    whole = made("a")
    table = np.zeros((2, 2))
    for unit in UNITS:
        table[assigned(whole, begun(whole), unit).arm == "student", place("arm", unit) < 0.5] += 1
    expected = np.outer(table.sum(1), table.sum(0)) / table.sum()
    assert ((table - expected) ** 2 / expected).sum() < CRITICAL
