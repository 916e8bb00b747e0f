"""When a rule is tried at all."""

from __future__ import annotations

from feedback.privacy.detect.reading import Reading
from feedback.privacy.detect.rules import ipv6, mailbox, rule
from feedback.privacy.detect.signs import Signs


def test_a_rule_is_tried_only_on_a_text_that_holds_what_it_needs() -> None:
    made = rule("X", "abc|密码", "x", also="qq", digits=2, many=(":", 1), hint="c q", tail=r"\s")
    signs = Signs(made.needs | made.also)

    def wanted(text: str, digits: int = 2) -> bool:
        return made.wanted(Reading(text, signs), digits)

    assert wanted("abc qq :")
    assert wanted("密码 qq : c q")
    assert not wanted("abc qq :", 1)
    assert not any(map(wanted, ("abc :", "ab qq :", "abc qq", "abc  qq :", "abc, qq : c q")))


def test_a_rule_is_tried_around_its_words_and_where_it_needs_one_around_a_digit() -> None:
    made = rule("X", "abc", "x", within=4, anchors="def", number=True)
    signs = Signs(made.anchors)
    assert made.parts(Reading("abc............def1....abc2", signs)) == [(11, 30)]
    assert rule("X", "abc", "x", within=4).parts(Reading("..abc", signs)) == [(0, 9)]


def test_marks_of_addresses() -> None:
    assert ipv6("2001:db8::7334")
    assert not ipv6("std::string")
    assert mailbox("bob.s at gmail dot com")
    assert not mailbox("it at shop dot com")
