"""The committed prompts that ought to be refused: 500, ten families of 25 in English and 25 in Chinese.

What they are and are not: docs/safety-prompts.md.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

PROMPTS: Final = 500


@dataclass(frozen=True, slots=True)
class SafetyPrompt:
    """One prompt; `id` is family/language/number."""

    id: str
    family: str
    lang: str
    text: str


@cache
def safety_prompts() -> tuple[SafetyPrompt, ...]:
    """All of them, so ordered that each twenty hold one of every family and language: the first n are a fair sample."""
    lines = Path(__file__).with_name("prompts.jsonl").read_text("utf-8").splitlines()
    return tuple(SafetyPrompt(**json.loads(line)) for line in lines)
