"""Small views of messages and text that checks, detectors and pool share."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import Any

HAN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff]")
TOKEN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff]|\d+(?:[.,:]\d+)*%?|[^\W\d_]+(?:'[^\W\d_]+)?")


def content_text(content: Any) -> str:
    """Text of a message's content: a string, or the text parts of a list."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        parts = [part.get("text", "") for part in content if isinstance(part, dict)]
        return "\n".join(part for part in parts if isinstance(part, str))
    return ""


def last_user(messages: Sequence[dict[str, Any]]) -> str:
    """Text of the last message of the user; empty when there is none."""
    for message in reversed(messages):
        if message.get("role") == "user":
            return content_text(message.get("content"))
    return ""


def prompt_text(messages: Sequence[dict[str, Any]]) -> str:
    """All that was said, without system messages; for finding duplicates."""
    parts = (content_text(m.get("content")) for m in messages if m.get("role") not in ("system", "developer"))
    return "\n".join(parts)


def language(text: str) -> str:
    """`zh` when a third of the letters are Han characters, else `en`."""
    letters = sum(c.isalpha() for c in text)
    return "zh" if letters and len(HAN.findall(text)) * 3 >= letters else "en"


def normal(text: str) -> str:
    """Width, case and white space aside."""
    return re.sub(r"\s+", " ", unicodedata.normalize("NFKC", text)).strip().lower()


def tokens(text: str) -> list[str]:
    """Words, numbers and single Han characters of `text`, in lower case; punctuation is left out."""
    return TOKEN.findall(normal(text))
