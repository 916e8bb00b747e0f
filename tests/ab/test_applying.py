"""Applying an experiment beside others: what changes who is where, and what is said about it."""

from __future__ import annotations

from typing import Any

import pytest

from ab.applying import changes, warnings
from ab.experiment import Experiment

HALVES = {"teacher": 0.5, "student": 0.5}


def made(name: str = "a", **given: Any) -> Experiment:
    return Experiment.model_validate({"id": name, "arms": HALVES, **given})


@pytest.mark.parametrize(
    ("given", "keys"),
    [
        ({"seed": "a"}, []),
        ({"guardrails": [{"kpi": "click", "max_ratio": 2}], "stop": {"max_days": 3}}, []),
        ({"arms": {"teacher": 0.9, "student": 0.1}, "namespace": [0, 0.5], "holdout": 0.1}, []),
        ({"layer": "observe"}, ["layer"]),
        ({"unit": "request", "seed": "b"}, ["unit", "seed"]),
        ({"when": {"tenant": "shop"}}, ["when"]),
    ],
)
def test_only_what_makes_units_others_counts_as_a_change(given: dict[str, Any], keys: list[str]) -> None:
    assert changes(made(), made(**given)) == keys


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
