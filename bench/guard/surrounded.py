"""What is left of recall when a short attack stands within a long harmless text, by language and length of the text."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

from rich.progress import track

from serving.guard.verdict import GuardVerdict
from trials.guard.judging import GuardTally, Judge
from trials.guard.rows import GuardRow

LENGTHS = (250, 500, 1_000, 2_000, 4_000, 8_000, 16_000)
"""Characters of the harmless text around."""
SHORT = 200
"""Characters of an attack, at most."""


def surrounded(
    judge: Judge, attacks: Sequence[GuardRow], turns: Sequence[tuple[str, str]], count: int
) -> list[dict[str, Any]]:
    """Of `count` short attacks a language that are caught alone, how many still are at a chance place in harmless turns
    joined by line breaks; and how many of those turns are caught without. `turns`: text and language."""
    found = []
    for spoken in ("en", "zh"):
        known = [row for row in attacks if row.language == spoken and len(row.text) <= SHORT and not row.system]
        known = [row for row in known if judge(row) is not GuardVerdict.ALLOW]
        texts = [text for text, language in turns if language == spoken and len(text) <= SHORT]
        if not known or not texts:
            continue
        drawn = random.Random(1).sample(known, min(count, len(known)))
        for length in track(LENGTHS, description=f"attacks within harmless texts, {spoken}"):
            chance = random.Random(f"{spoken}:{length}")
            around = [_lines(texts, length, chance) for _ in drawn]
            within = [_within(row.text, lines, chance) for row, lines in zip(drawn, around, strict=True)]
            still = GuardTally.of(judge(GuardRow(text, "attack", "", spoken)) for text in within)
            alone = GuardTally.of(judge(GuardRow("\n".join(lines), "benign", "", spoken)) for lines in around)
            found.append({
                "language": spoken, "around": length, "n": still.n, "caught": still.caught, "share": still.share,
                "harmless_caught": alone.caught, "harmless_share": alone.share,
            })  # fmt: skip
    return found


def _lines(texts: Sequence[str], length: int, chance: random.Random) -> list[str]:
    held = [chance.choice(texts)]
    while sum(map(len, held)) < length:
        held.append(chance.choice(texts))
    return held


def _within(text: str, lines: Sequence[str], chance: random.Random) -> str:
    place = chance.randint(0, len(lines))
    return "\n".join([*lines[:place], text, *lines[place:]])
