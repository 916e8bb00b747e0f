"""When a rule is tried at all."""

from __future__ import annotations

from feedback.privacy.detect.rules import ipv6, mailbox, rule


def test_a_rule_is_tried_only_on_a_text_that_holds_what_it_needs() -> None:
    made = rule("X", "abc|密码", "x", also="q", digits=2, many=(":", 1))
    assert made.wanted("abc q :", 2)
    assert not any(made.wanted(*given) for given in (("abc q :", 1), ("abc :", 2), ("ab q :", 2), ("abc q", 2)))
    assert made.without_others().needs == ("abc",)


def test_marks_of_addresses() -> None:
    assert ipv6("2001:db8::7334")
    assert not ipv6("std::string")
    assert mailbox("bob.s at gmail dot com")
    assert not mailbox("it at shop dot com")
