"""What people write, for measurements that depend on it: real turns where the shared data lie on this machine.

Without them turns are made by seed from the wordings of `trials/personal.py`; `Turns.source` says which it was.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

from feedback.texts import language
from trials.personal import generated
from trials.shared_data import data_folder, json_rows

FILES = ("dialogues.jsonl.gz", "instructions.jsonl")
MADE = 6000
"""Turns that are made where there are no real ones."""
Language = Literal["en", "zh"]


@dataclass(frozen=True, slots=True)
class Turns:
    """Turns of one language, in an order that has nothing to do with their origin."""

    source: str
    texts: tuple[str, ...]

    def stretches(self, length: int, seed: int = 0) -> Iterator[str]:
        """Successive turns joined and cut to `length` characters; no turn comes twice before all have come."""
        chance = random.Random(seed)
        held = ""
        while True:
            for text in chance.sample(self.texts, len(self.texts)):
                held = f"{held}\n{text}" if held else text
                if len(held) >= length:
                    yield held[:length]
                    held = ""


@cache
def turns(spoken: Language) -> Turns:
    """All turns of a language."""
    found = sorted({text for name in FILES for text in _told(data_folder() / name, spoken)})
    if found:
        return Turns("shared data", tuple(found))
    made = (row.text for row in generated(0, MADE))
    return Turns("generated", tuple(sorted({text for text in made if language(text) == spoken})))


def _told(file: Path, spoken: Language) -> Iterator[str]:
    for row in json_rows(file):
        if row["lang"] == spoken:
            yield from _contents(row)


def _contents(row: dict[str, Any]) -> Iterator[str]:
    if "prompt" in row:
        yield row["prompt"]
    for message in row.get("messages", ()):
        if message["role"] in ("user", "assistant") and isinstance(message.get("content"), str):
            yield message["content"]
