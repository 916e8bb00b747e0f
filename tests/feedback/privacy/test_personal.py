"""What is personal by its shape: check digits, and rules that take linear time."""

from __future__ import annotations

import pytest

from feedback.privacy.personal import DIGIT, PLAIN, RULES, Rule, card, iban, luhn, resident_id
from tests.feedback.linear import expect_linear
from tests.feedback.privacy.cases import CASES


def test_check_digits() -> None:
    assert card("4111 1111 1111 1111")
    assert not card("4111 1111 1111 1112")
    assert luhn("2024011512345674")
    assert not card("2024011512345674")
    assert luhn("4111111111111111")
    assert not luhn("4111111111111112")
    assert resident_id("11010519491231002X")
    assert not resident_id("110105194912310021")
    assert iban("GB82WEST12345698765432")
    assert not iban("GB82WEST12345698765433")


PARTS = (
    "a", "1", "a1", " ", "a ", "1 ", "-", "a.", "a@", "@", "%40", "eyJ", "-eyJ", ".eyJaaaaaaaaaa", "\\", "'", '"', "是",
    "密码", "token", "secret is ", "pin ", 'password"', "phone 1", "+1 (", "4111 ", "AB12 ", "a://b:", "/" * 511 + " ",
    "?token", "-----BEGIN PRIVATE KEY-----", "-----BEGIN A ", "Bearer ", "0571-",
)  # fmt: skip


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.kind)
def test_a_rule_takes_time_that_grows_with_the_text_alone(rule: Rule) -> None:
    heads = ("", "pin", "token=", "-----BEGIN PRIVATE KEY-----")
    expect_linear(rule.pattern.findall, PARTS, heads)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.kind)
def test_no_text_with_a_value_is_passed_over(rule: Rule) -> None:
    for text, _ in CASES:
        plain = text.translate(PLAIN)
        if any(rule.valid(match.group(match.re.groups)) for match in rule.pattern.finditer(plain)):
            assert any(word in plain.lower() for word in rule.needs) if rule.needs else DIGIT.search(plain)
