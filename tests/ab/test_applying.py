"""Applying an experiment beside others: what changes who is where, and what is said about it."""

from __future__ import annotations

from typing import Any

import pytest

from ab.applying import changes, overlap, warnings
from ab.experiment import Experiment, When

HALVES = {"teacher": 0.5, "student": 0.5}


def made(name: str = "a", **given: Any) -> Experiment:
    return Experiment.model_validate({"id": name, "arms": HALVES, **given})


@pytest.mark.parametrize(
    ("given", "keys"),
    [
        ({"seed": "a"}, []),
        ({"guardrails": [{"kpi": "click", "max_ratio": 2}], "stop": {"max_days": 3}}, []),
        ({"arms": {"teacher": 0.9, "student": 0.1}}, ["arms"]),
        ({"arms": {"student": 0.5, "teacher": 0.5}}, ["arms"]),
        ({"unit": "request", "seed": "b"}, ["unit", "seed"]),
        ({"when": {"tenant": "shop"}}, ["when"]),
    ],
)
def test_only_what_moves_units_counts_as_a_change(given: dict[str, Any], keys: list[str]) -> None:
    assert changes(made(), made(**given)) == keys


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


def test_a_plain_experiment_alone_needs_no_warning() -> None:
    assert warnings(made(), [made()], {}) == []


def test_overlaps_are_named_with_who_wins_in_the_document_s_order() -> None:
    apart = made("0", when={"tenant": "bank"})
    new = made("b", when={"tenant": "shop"})
    found = warnings(new, [apart, made("a"), new, made("c")], {})
    assert found == [
        "requests that match both go to `a`, not to this one",
        "requests that match both go to this one, not to `c`",
    ]


def test_what_cannot_match_and_what_is_only_recorded_is_said() -> None:
    new = made(when={"alias": "bot"}, primary={"kpi": "click"}, guardrails=[{"kpi": "click", "max_ratio": 2}])
    assert "no `bot`" in warnings(new, [new], {"bot": "student"})[0]
    assert warnings(new, [new], {"bot": "auto"}) == ["recorded, not acted on in this release: primary, guardrails"]
