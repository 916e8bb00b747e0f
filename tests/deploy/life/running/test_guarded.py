"""Who turns the guard off for some users is told whom that does not touch, and what one side may lack."""

from __future__ import annotations

from typing import Any

import pytest

from ab.experiment import Experiment
from deploy.life.running.guarded import NEVER_COPIED, OWN, guard_warnings
from deploy.routing.guarding import GuardRules
from feedback.kpis.config import KpisConfig
from feedback.kpis.ratios import ratios

KNOWN = ratios(KpisConfig(declared=("smile",)))
ENFORCED = GuardRules(mode="enforce")


def said(rules: GuardRules | None = ENFORCED, **given: Any) -> list[str]:
    wanted = Experiment.model_validate({"id": "g", "switches": {"guard": 0.5}, **given})
    return list(guard_warnings(wanted, rules, KNOWN))


def test_where_the_guard_enforces_there_is_nothing_to_warn_of() -> None:
    assert said(primary={"kpi": "takeover"}, secondary=[{"kpi": "click"}]) == []
    assert said(GuardRules(mode="off", tenants={"a": "enforce"}), when={"tenant": "a"}) == []
    assert said(None, switches={"routing": 0.5}, primary={"kpi": "rating"}) == []


@pytest.mark.parametrize(
    ("rules", "given", "whom"),
    [
        (None, {}, f"every tenant ({OWN})"),
        (GuardRules(mode="off"), {}, "every tenant (off)"),
        (GuardRules(mode="enforce", tenants={"b": "off"}), {}, "`b` (off)"),
        (GuardRules(tenants={"a": "enforce", "b": "off"}), {}, f"`b` (off), every other tenant ({OWN})"),
        (GuardRules(mode="observe", tenants={"a": "enforce"}), {"when": {"tenant": "c"}}, "`c` (observe)"),
        (GuardRules(mode="enforce", tenants={"a": "off"}), {"when": {"tenant": "a"}}, "`a` (off)"),
    ],
)
def test_whom_the_switch_does_not_touch_is_named(rules: GuardRules | None, given: dict[str, Any], whom: str) -> None:
    (line,) = said(rules, **given)
    assert f"anyway: {whom}; " in line


def test_means_of_what_applications_send_and_copies_are_told_of() -> None:
    lines = said(
        primary={"kpi": "first_response_correct"}, secondary=[{"kpi": "smile"}, {"kpi": "session_turns"}],
        switches={"guard": 0.5, "routing": 0.5}, shadow={"coalitions": 0.1},
    )  # fmt: skip
    assert [line.split()[0] for line in lines] == ["first_response_correct", "smile", "pairs"]
    assert lines[2].startswith(NEVER_COPIED)
