"""Rules take linear time, and none is passed over where it would find something."""

from __future__ import annotations

from re._parser import parse  # type: ignore[import-not-found]

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feedback.privacy.detect.finding import find, plain, read
from feedback.privacy.detect.personal import RULES
from feedback.privacy.detect.rules import Rule
from tests.feedback.linear import expect_linear
from tests.feedback.privacy.cases import CASES
from tests.feedback.privacy.detect.messages import personal

TEXTS = [*(text for text, _ in CASES), *personal()]
PARTS = (
    "a",
    "1",
    "a1",
    " ",
    "a ",
    "1 ",
    "-",
    "a.",
    "a@",
    "@",
    "%40",
    "eyJ",
    "-eyJ",
    ".eyJaaaaaaaaaa",
    "\\",
    "'",
    '"',
    "是",
    "密码",
    "token",
    "secret is ",
    "pin ",
    'password"',
    "phone 1",
    "+1 (",
    "4111 ",
    "AB12 ",
    "a://b:",
    "/" * 511 + " ",
    "?token",
    "-----BEGIN PRIVATE KEY-----",
    "-----BEGIN A ",
    "Bearer ",
    "0571-",
    "a:",
    "::",
    "京A1",
    "一",
    "一二 ",
    "one ",
    "double ",
    "my name is ",
    "My Name Is A ",
    "我叫",
    "收件人：",
    "地址：",
    "送到",
    "路1号",
    "ship to 1 ",
    "1 Main ",
    "order ",
    "密码是好",
    "passphrase is a ",
    "12345678901 ",
    "at ",
    "a at b dot ",
    "a [at] ",
    "客服",
    "电话 1",
    "Mr. A",
    "I'm A ",
    "、一",
)

PIECES = (
    *sorted({word for rule in RULES for word in (*rule.needs, *rule.also, *rule.anchors)}), *PARTS,
    *(" ", " ", ".", ":", "-", "is ", "号", "是", "no ", "number ", "\n", "\t", "(at)", "@b.com"),
    *("bob", "a1", "B2", "ſ", "京A12345"),
    *("12:34:56:78:9a:bc", "12-34-56-78-9a-bc", "1234.5678.9abc", "2001:db8::1", "DE89 3704 0044 0532 0130 00"),
    *("1990-01-02", "05/29", "138", "1234", "12345678901", "gmail", "dot com", "x" * 40, "Bearer abcdef0123456789"),
)  # fmt: skip


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.kind)
def test_a_rule_takes_time_that_grows_with_the_text_alone(rule: Rule) -> None:
    expect_linear(rule.pattern.findall, PARTS, ("", "token="))


def test_all_detectors_together_take_time_that_grows_with_the_text_alone() -> None:
    expect_linear(find, PARTS)


def expect_all(rule: Rule, text: str) -> int:
    """The rule finds what its pattern finds in the whole text; where it is not tried, nothing there counts."""
    reading = read(plain(text))
    everywhere = list(rule.pattern.finditer(reading.text))
    values = [match for match in everywhere if rule.valid(match.group(match.lastindex or 0))]
    if rule.wanted(reading):
        assert [match.span() for match in rule.way(rule, reading)] == [match.span() for match in everywhere], text
    elif reading.holds(rule.needs or reading.words) and (not rule.also or reading.holds(rule.also)):
        assert not values, text
    return len(values)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.kind)
def test_no_text_with_a_value_is_passed_over(rule: Rule) -> None:
    assert sum(expect_all(rule, text) for text in TEXTS), "no text holds a value of this rule"


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=24).map("".join))
def test_each_rule_finds_where_it_looks_what_its_pattern_finds_in_the_whole_text(text: str) -> None:
    for rule in RULES:
        expect_all(rule, text)


FAR = (
    "my residence permit number for the booking is : AB 1234567",
    "national insurance number is : QQ 12 34 56 C 7",
    "the vehicle's registration number is : AB12 CD34",
    f"e-mail: 12345678 {'b' * 41}#{'x' * 30}.company.network",
    f"写信给{'王' * 8}{'b' * 20}@{'y' * 60}.{'z' * 60}.中国 或 {'b' * 60}@{'y' * 60}.公司",
    f"{'a' * 40}.{'b' * 40}.{'c' * 40} @ {'d' * 40} . company . network",
    f"{'a' * 40} dot {'b' * 40} dot {'c' * 40} at {'d' * 40} dot network",
    f"{'a' * 40} dot {'b' * 40} dot {'c' * 40} [at] {'d' * 40} dot network",
    f"{'a' * 40} dot {'b' * 40} dot {'c' * 40} at gmail dot network",
)
"""Values that reach far from the word around which they are looked for, by rule with a reach."""


def test_what_reaches_far_from_its_word_is_found_whole() -> None:
    found = {rule.pattern.pattern for rule in RULES for text in FAR if rule.after and expect_all(rule, text)}
    assert found == {rule.pattern.pattern for rule in RULES if rule.after}


@pytest.mark.parametrize("rule", [rule for rule in RULES if rule.after], ids=lambda rule: rule.kind)
def test_a_match_is_no_longer_than_the_parts_that_are_searched(rule: Rule) -> None:
    assert parse(rule.pattern.pattern, rule.pattern.flags).getwidth()[1] < rule.before + rule.after
