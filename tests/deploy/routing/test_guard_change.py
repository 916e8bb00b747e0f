"""What comes of an operator's change of the guard's rules."""

from __future__ import annotations

from typing import Any

import pytest

from deploy.routing.guard_change import DAY, GuardChange, changed
from deploy.routing.guarding import MOST_RULES, AllowRule, GuardRules
from understudy.errors import BadRequest, NotFound

OLD = AllowRule(id="old", until=50.0, tenant="shop")
HELD = AllowRule(id="held", until=500.0, tenant="shop")


def after(rules: GuardRules | None, **asked: Any) -> GuardRules | None:
    return changed(rules, GuardChange.model_validate(asked), 100.0, "new", "because")


def test_what_is_given_changes_and_all_else_stays() -> None:
    rules = after(None, mode="enforce", flag=1.0)
    rules = after(rules, mode="off", tenant="shop")
    rules = after(rules, degrade=2.0)
    assert rules == GuardRules(mode="enforce", tenants={"shop": "off"}, flag=1.0, degrade=2.0)


def test_default_takes_back_and_nothing_left_is_no_rules() -> None:
    rules = GuardRules(mode="enforce", tenants={"shop": "off"}, flag=1.0)
    rules = after(rules, mode="default", tenant="shop")
    assert rules == GuardRules(mode="enforce", flag=1.0)
    assert after(rules, mode="default", flag="default") is None


def test_an_exception_has_an_end_and_those_that_are_over_go() -> None:
    rules = after(GuardRules(allow=(OLD, HELD)), allow={"tenant": "shop", "days": 2})
    assert rules is not None
    assert [(rule.id, rule.until) for rule in rules.allow] == [("held", 500.0), ("new", 100.0 + 2 * DAY)]
    assert rules.allow[-1].why == "because"
    rules = after(rules, disallow=["held", "new"])
    assert rules is None
    with pytest.raises(NotFound, match="no rule held"):
        after(rules, disallow=["held"])


@pytest.mark.parametrize("asked", [{"flag": 3.0, "degrade": 2.0}, {"allow": {"days": 2}}])
def test_what_cannot_be_is_refused(asked: dict[str, Any]) -> None:
    with pytest.raises(BadRequest):
        after(None, **asked)


def test_exceptions_are_bounded() -> None:
    rules = GuardRules(allow=(HELD,) * MOST_RULES)
    with pytest.raises(BadRequest):
        after(rules, allow={"tenant": "shop", "days": 2})
