"""Nested conditions: two conditions or more in one question."""

from __future__ import annotations

import re

from feedback.texts import normal

CONDITION = re.compile(
    r"\b(?:if|unless|provided that|as long as|in case|assuming|except when|otherwise|only when)\b"
    r"|如果|要是|假如|倘若|除非|只要|只有|否则|万一|的话|前提是"
)
PAIRED = re.compile(r"(?:如果|要是|假如|万一)([^，。？！?!]{1,20})的话")


def detect(text: str, *, first: bool) -> bool:
    """`如果…的话` is one condition, not two."""
    plain = PAIRED.sub(r"如果\1", normal(text))
    plain = re.sub(r"\b(?:wondering|know|see|check|ask|tell me|sure) if\b", "whether", plain)
    return len(CONDITION.findall(plain)) >= 2
