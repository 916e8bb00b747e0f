"""Chinese attacks and harmless turns: the templates of `chinese.json` times its wordings, and `wrappers.json`."""

from __future__ import annotations

import json
import random
from functools import cache
from pathlib import Path
from string import Formatter
from typing import Any, Literal

from trials.guard.rows import GuardRow

FOLDER = Path(__file__).parent
TIMES = 8
"""Wordings of each template."""
ChinesePart = Literal["train", "judge"]


@cache
def told(name: str) -> Any:
    """What a file beside this one holds."""
    return json.loads((FOLDER / name).read_text("utf-8"))


def chinese_attacks(part: ChinesePart) -> list[GuardRow]:
    """Attacks of the templates for learning, or of those for judging alone; `meta.template` names each."""
    held = told("chinese.json")
    found = []
    for family, parts in held["families"].items():
        for number, template in enumerate(parts[part]):
            chance = random.Random(f"{family}:{part}:{number}")
            texts: dict[str, None] = {}
            while len(texts) < TIMES:
                texts[filled(template, held["wordings"], chance)] = None
            meta = {"template": f"{family}:{part}:{number}"}
            found += [GuardRow(text, "attack", family, "zh", "", meta) for text in texts]
    return found


def chinese_benign(part: ChinesePart) -> list[GuardRow]:
    """Harmless turns with the words of the attacks."""
    return [GuardRow(text, "benign", "benign:zh_trigger_words", "zh") for text in told("chinese.json")["benign"][part]]


def wrappers(part: ChinesePart) -> list[str]:
    """Chinese sentences with `{}` where the text goes; thirty of them are for judging."""
    found: list[str] = told("wrappers.json")[part]
    return found


def wrapped(text: str, wrapper: str) -> str:
    """`text` within a wrapper."""
    return wrapper.replace("{}", text)


def filled(template: str, wordings: dict[str, list[str]], chance: random.Random) -> str:
    """`template` with a wording for each gap."""
    parts = []
    for literal, name, _, _ in Formatter().parse(template):
        parts += [literal, chance.choice(wordings[name]) if name else ""]
    return "".join(parts)
