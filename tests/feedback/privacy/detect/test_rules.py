"""When a rule is tried at all, and where."""

from __future__ import annotations

import re

from feedback.privacy.detect.reading import Reading
from feedback.privacy.detect.rules import (
    LATIN,
    Rule,
    around_signs,
    at_letters_and_digits,
    at_provinces,
    at_words,
    ipv6,
    mailbox,
    rule,
)
from feedback.privacy.detect.signs import Signs


def test_a_rule_is_tried_only_on_a_text_that_holds_what_it_needs() -> None:
    made = rule("X", "abc|密码", "x", also="qq", digits=2, many=(":", 1), hint="c q", tail=r"\s")
    signs = Signs(made.needs | made.also)

    def wanted(text: str) -> bool:
        return made.wanted(Reading(text, signs))

    assert wanted("abc qq :12")
    assert wanted("密码 qq : c q 12")
    assert not wanted("abc qq :1")
    assert not any(map(wanted, ("abc :12", "ab qq :12", "abc qq 12", "abc  qq :12", "abc, qq : c q 12")))


def found(made: Rule, text: str) -> list[tuple[int, int]]:
    return [match.span() for match in made.way(made, Reading(text, Signs(made.anchors)))]


def test_a_rule_is_looked_for_around_its_words_and_where_it_needs_one_before_a_digit() -> None:
    made = rule("X", "abc", "[a-f.]{2,4}", anchors="def", number=True, reach=(4, 8))
    assert found(made, "abcd............def1....abc2") == [(12, 16), (16, 19), (20, 24), (24, 27)]
    assert found(rule("X", "abc", "x", reach=(1, 5)), "x.xabc.xx") == [(2, 3), (7, 8)]
    assert found(rule("X", "abc", "x", tail="!", reach=(1, 5)), "xabc.x xabc!x") == [(7, 8), (12, 13)]
    assert found(rule("X", "abc", "x", hint="c!", reach=(1, 3)), "xabc.x xabc!x") == [(12, 13)]


def test_a_rule_begins_where_its_words_or_classes_are() -> None:
    text = ".abc1, abcd1, ac12 京a1, 京"
    assert found(rule("X", "abc", r"[a-c]+\d", way=at_words), text) == [(1, 5)]
    assert found(rule("X", "", r"[a-c]+\d", way=at_letters_and_digits), text) == [(14, 17)]
    assert found(rule("X", "", ".[a-c]?", way=at_provinces), text) == [(19, 21)]


def test_words_may_have_tails_of_their_own() -> None:
    made = rule("X", "abc|def", "x", tail={"abc": "!"}, reach=(1, 5))
    assert found(made, "xabc.x xabc!x xdef") == [(7, 8), (12, 13), (14, 15)]


def test_an_address_of_any_length_is_looked_for_as_a_whole() -> None:
    made = rule("X", "@|%40", rf"(?<![{LATIN}.%])[{LATIN}.%]+@[{LATIN}.]+", flags=0, way=around_signs)
    for text in ("a" * 300 + "@b.c d@e", "a%40b@c.d@e.f", "@@ a@b%40c@d", "ab", "%40%40"):
        assert found(made, text) == [match.span() for match in made.pattern.finditer(text)]
    assert re.compile("x").pattern  # the pattern itself is not changed


def test_marks_of_addresses() -> None:
    assert ipv6("2001:db8::7334")
    assert not ipv6("std::string")
    assert mailbox("bob.s at gmail dot com")
    assert not mailbox("it at shop dot com")
