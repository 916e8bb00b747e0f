"""Attacks and harmless turns that only teach: templates of `written.json` times its wordings, in three languages."""

from __future__ import annotations

import random

from trials.guard.chinese import filled, told
from trials.guard.rows import MADE, GuardRow

TIMES = 6
"""Wordings of each template, at most: a template without gaps has one."""
TRIES = 40
PREFIX = "written:"


def written_rows() -> list[GuardRow]:
    """All of them; `meta.template` names the template of each."""
    held = told("written.json")
    found = []
    for family, templates in held["attacks"].items():
        spoken = family.rpartition("_")[2].rpartition(":")[2]
        for number, template in enumerate(templates):
            name = f"{PREFIX}{family}:{number}"
            texts = _texts(template, held["wordings"], name)
            found += [GuardRow(text, "attack", f"{MADE}:{family}", spoken, "", {"template": name}) for text in texts]
    for spoken, templates in held["benign"].items():
        for number, template in enumerate(templates):
            name = f"{PREFIX}benign_{spoken}:{number}"
            texts = _texts(template, held["wordings"], name)
            found += [
                GuardRow(text, "benign", f"{MADE}:benign:{spoken}", spoken, "", {"template": name}) for text in texts
            ]
    return found


def written(row: GuardRow) -> bool:
    """Whether a row is one of them."""
    return str(row.meta.get("template", "")).startswith(PREFIX)


def _texts(template: str, wordings: dict[str, list[str]], name: str) -> list[str]:
    """`template` with other wordings each time; each begins with a capital letter or, now and then, does not."""
    chance = random.Random(name)
    texts: dict[str, None] = {}
    for _ in range(TRIES):
        text = filled(template, wordings, chance)
        texts[text[:1].upper() + text[1:]] = None
        if len(texts) == TIMES:
            break
    return list(texts)
