"""Truncated or noisy input: a message that stops in the middle, or that is largely not language."""

from __future__ import annotations

import re

from feedback.texts import normal, tokens

BREAKS_OFF = re.compile(
    r"(?:\b(?:the|a|an|and|or|but|because|of|from|my|your|if|when|which|i|since)"
    r"|[,，、:：;；(（“「-]|因为|但是|而且|如果|或者|关于|以及|然后|并且|把|被|的订单号是|对于)$"
)
EMOTICON = re.compile(r"\s*[:;]-?[()dp/]+$")
NOISE = re.compile(r"[^\w\s.,!?;:'\"()$%@#/&+*<>=，。！？；：、“”‘’（）《》…￥¥—~-]|\ufffd|(.)\1{5,}")
NOISY = 0.15
SHORTEST = 4


def detect(text: str, *, first: bool) -> bool:
    """Breaks off at a word that cannot end a sentence, or more than 15 % of it is noise."""
    plain = EMOTICON.sub("", normal(text))
    if plain and len(NOISE.sub("", plain)) < (1 - NOISY) * len(plain):
        return True
    if len(tokens(plain)) < SHORTEST:
        return False
    return bool(BREAKS_OFF.search(plain))
