"""Applying an experiment beside others: what changes who is where, and what is said about it."""

from __future__ import annotations

from typing import Any

import pytest

from ab.applying import changes, refusal, warnings
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


def test_a_plain_experiment_needs_no_warning() -> None:
    assert warnings(made(), {}) == []


def test_one_that_would_take_units_of_another_is_refused_with_the_share_that_is_free() -> None:
    why = refusal(made("new"), [made("low", namespace=[0, 0.3]), made("high", namespace=[0.5, 1])])
    assert why is not None
    assert "`low`, `high`" in why
    assert "20.0% of its units are free: give `namespace: [0.3, 0.5]`" in why
    full = refusal(made("new"), [made("all")])
    assert full is not None
    assert full.endswith("no unit of it is free: give `all` a smaller `namespace`, or stop it")
    assert refusal(made("new", namespace=[0.3, 0.5]), [made("low", namespace=[0, 0.3])]) is None


def test_two_layers_need_the_same_unit_where_one_request_is_in_both() -> None:
    why = refusal(made("seen", layer="observe", unit="session"), [made("a")])
    assert why is not None
    assert "`a` (unit: user)" in why
    apart = made("seen", layer="observe", unit="session", when={"tenant": "x"})
    assert refusal(apart, [made("a", when={"tenant": "y"})]) is None


def test_what_cannot_match_is_said() -> None:
    new = made(when={"alias": "bot"}, primary={"kpi": "click"}, guardrails=[{"kpi": "click", "max_ratio": 2}])
    assert "no `bot`" in warnings(new, {"bot": "student"})[0]
    assert warnings(new, {"bot": "auto"}) == []


def test_a_covariate_that_is_not_kept_of_units_is_said_to_be_for_analysis_alone() -> None:
    for name in ("spend", "click", "smile_before"):
        (said,) = warnings(made(primary={"kpi": "click", "covariate": name}), {}, ("click", "requests"))
        assert f"without the covariate `{name}`, which `experiment analyse` takes of rows" in said
    kept = made(primary={"kpi": "click", "covariate": "requests_before"})
    assert warnings(kept, {}, ("click", "requests")) == warnings(made(primary={"kpi": "click"}), {}) == []
