"""Judgements by keyed hash, bounded."""

from __future__ import annotations

from serving.guard.remembered import JudgementMemory
from serving.guard.verdict import GuardJudgement

ONE, OTHER = GuardJudgement(score=1.0), GuardJudgement(score=2.0)


def test_what_was_not_asked_for_longest_is_forgotten() -> None:
    known = JudgementMemory(2)
    a, b, c = (known.name(text, b"") for text in "abc")
    known.put(a, ONE)
    known.put(b, OTHER)
    assert known.get(a) is ONE
    known.put(c, OTHER)
    assert (len(known), known.get(b), known.get(a)) == (2, None, ONE)


def test_names_depend_on_text_kind_and_a_key_of_the_process() -> None:
    one, other = JudgementMemory(9), JudgementMemory(9)
    names = {one.name("a", b""), one.name("b", b""), one.name("a", b"trusted"), other.name("a", b"")}
    assert len(names) == 4
    assert one.name("\ud800", b"") == one.name("\ud800", b"")


def test_nothing_is_kept_where_nothing_may_be() -> None:
    known = JudgementMemory(0)
    known.put(known.name("a", b""), ONE)
    assert len(known) == 0
