"""Multiple intents: two questions, or a request and a further one behind a connector."""

from __future__ import annotations

import re

from feedback.texts import normal, tokens

QUESTION = re.compile(r"[^?。！!.\n]{6,}\?|[^?。！!\n]{4,}(?:吗|呢|么)(?=[，。！\s]|$)")
FURTHER = re.compile(
    r"\b(?:and also|also,? (?:can|could|please|how|what|when|is|do)|as well as|one more thing|another question"
    r"|besides|in addition|while you're at it|by the way)\b"
    r"|另外|还有(?:就是|一个|个问题|，|，?请)|顺便|再(?:问|帮)|同时(?:请|帮|我)|以及(?:怎么|如何|能否)"
)
SHORTEST = 8


def detect(text: str, *, first: bool) -> bool:
    """Two whole questions, or a connector that opens a second request in a message of some length."""
    plain = normal(text)
    if len(tokens(plain)) < SHORTEST:
        return False
    return len(QUESTION.findall(plain)) >= 2 or bool(FURTHER.search(plain))
