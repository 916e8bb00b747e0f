"""Rules take linear time, and none is passed over where it would find something."""

from __future__ import annotations

from re._parser import parse  # type: ignore[import-not-found]

import pytest

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


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.kind)
def test_a_rule_takes_time_that_grows_with_the_text_alone(rule: Rule) -> None:
    expect_linear(rule.pattern.findall, PARTS, ("", "token="))


def test_all_detectors_together_take_time_that_grows_with_the_text_alone() -> None:
    expect_linear(find, PARTS)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.kind)
def test_no_text_with_a_value_is_passed_over(rule: Rule) -> None:
    tried = 0
    for text in TEXTS:
        reading = read(plain(text))
        digits = sum(map(text.count, "0123456789"))
        for match in rule.pattern.finditer(reading.text):
            if rule.valid(match.group(match.lastindex or 0)):
                tried += 1
                assert rule.wanted(reading, digits)
                parts = rule.parts(reading) if rule.within else [(0, len(text))]
                assert any(start <= match.start() and match.end() < end + 1 for start, end in parts)
    assert tried, "no text holds a value of this rule"


@pytest.mark.parametrize("rule", [rule for rule in RULES if rule.within], ids=lambda rule: rule.kind)
def test_a_match_is_no_longer_than_the_parts_that_are_searched(rule: Rule) -> None:
    assert parse(rule.pattern.pattern, rule.pattern.flags).getwidth()[1] < rule.within - 1
