"""Grammatical error: patterns that are wrong in any reading."""

from __future__ import annotations

import re

from feedback.texts import normal

WRONG = re.compile(
    r"\b(?:i|you|we|they) (?:has|was(?<!i was)|is|does)\b(?! (?:it|that|this))"
    r"|\b(?:he|she|it) (?:have|are|were|do|don't|want|need|go)\b(?<!does it \w\w\w\w)"
    r"|\b(?:more better|most best|didn't (?:went|came|got|received|sent|was)|did (?:went|came|received|sent))\b"
    r"|\b(?:an (?:package|refund|return|phone)|a (?:order|item|email|invoice|error|update))\b"
    r"|\b(the|a|an|to|of|is|my|i|and|in|for|on) \1\b"
    r"|\b(?:informations|furnitures|luggages|equipments|advices)\b"
    r"|(?:的的|了了|吗吗|怎么怎么|因为所以|虽然但是|通过.{1,12}使得?我)"
)
QUESTION = re.compile(
    r"\b(?:do|does|did|can|could|will|would|should|may|must|might|let|make|made|help|see|if)\b \w+ ?$"
)


def detect(text: str, *, first: bool) -> bool:
    """True when a wrong pattern stands outside a question's inversion (`does it have` is right)."""
    plain = normal(text)
    return any(not QUESTION.search(_with_subject(plain, match)) for match in WRONG.finditer(plain))


def _with_subject(plain: str, match: re.Match[str]) -> str:
    """Text up to and with the first word of the match."""
    first_word = match.group(0).split(" ", 1)[0]
    return plain[max(0, match.start() - 24) : match.start()] + first_word
