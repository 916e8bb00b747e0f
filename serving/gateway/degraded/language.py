"""In which of our languages a degraded reply speaks, and what it says."""

from __future__ import annotations

import re
from typing import Literal

ReplyLanguage = Literal["en", "zh"]

TEXTS: dict[ReplyLanguage, str] = {
    "en": "Sorry, I can't help with this request. Please rephrase it and try again.",
    "zh": "抱歉，我无法回应这个请求。请换一种说法再试。",
}
HAN_SHARE = 0.2
"""Of the characters that are no white space, from which on a text counts as Chinese."""
SEEN = 2_000
"""Characters of a text's beginning, and as many of its end, that are looked at."""
_HAN = re.compile("[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")


def language_of(text: str) -> ReplyLanguage:
    """The language in which to answer `text`, by its share of Han characters; English where there is none to tell."""
    seen = text if len(text) <= 2 * SEEN else text[:SEEN] + text[-SEEN:]
    letters = len("".join(seen.split()))
    return "zh" if letters and len(_HAN.findall(seen)) >= HAN_SHARE * letters else "en"
