"""Exceptions of the guard: to whom one applies, and until when."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from deploy.routing.guarding import AllowRule, GuardRules, system_hash


def test_all_that_a_rule_names_must_apply_before_its_end() -> None:
    rule = AllowRule(id="x", until=200.0, tenant="shop", user="0" * 20)
    assert rule.holds("shop", "", "0" * 20, 199.0)
    assert not rule.holds("shop", "", "0" * 20, 200.0)
    assert not rule.holds("shop", "", "1" * 20, 199.0)
    assert not rule.holds("other", "", "0" * 20, 199.0)


def test_a_rule_for_everybody_is_refused() -> None:
    with pytest.raises(ValidationError, match="name a tenant"):
        AllowRule(id="x", until=1.0)


def test_a_system_message_is_known_by_its_words_and_not_by_blanks_around_them() -> None:
    assert system_hash(["Be kind.", "Be brief."]) == system_hash(["\n Be kind.", "Be brief.\n"])
    assert system_hash(["Be kind.", "Be brief."]) != system_hash(["Be brief.", "Be kind."])
    assert system_hash(["\ud800"]) != system_hash([""])


def test_an_unquoted_off_of_yaml_is_a_mode() -> None:
    assert GuardRules.model_validate({"tenants": {"shop": False}}).tenants == {"shop": "off"}
