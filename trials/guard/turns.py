"""What people write to applications, for false positives: turns of dialogues and instructions, parted by their origin.

No turn that is for choosing thresholds or for judging has the text, or the dialogue, of one that is for learning.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from feedback.texts import content_text
from trials.shared_data import json_rows

TurnPart = Literal["train", "choose", "judge"]
SHARES: tuple[tuple[TurnPart, float], ...] = (("train", 0.25), ("choose", 0.6), ("judge", 1.0))
TASKS: tuple[tuple[TurnPart, float], ...] = (("train", 0.5), ("choose", 0.7), ("judge", 1.0))
"""Parts of dialogues and of instructions, and where each ends."""
UNLEARNED = ("suzgunmirac/BIG-Bench-Hard",)
"""Sources that nothing may learn from: their files carry a benchmark's canary."""
JOINED_MARK = " (joined)"
JOINED = 3000
"""Characters up to which the turns of one user are also taken as one text."""


@dataclass(frozen=True, slots=True)
class UserTurn:
    """One text of a user, or all of a dialogue joined; `source` ends in ` (joined)` then."""

    text: str
    source: str
    language: str
    task: bool = False
    """Whether it is an instruction and no turn of a dialogue."""

    @property
    def joined(self) -> bool:
        """Whether it is all that a user said in a dialogue."""
        return self.source.endswith(JOINED_MARK)


def user_turns(folder: Path) -> dict[TurnPart, list[UserTurn]]:
    """All turns by part, each text once; empty where the files are not there."""
    parts: dict[TurnPart, dict[str, UserTurn]] = {part: {} for part, _ in SHARES}
    for group, turn in _all(folder):
        part = part_of(group)
        if part == "train" and turn.source in UNLEARNED:
            part = "choose"
        parts[part].setdefault(turn.text, turn)
    for text in parts["train"]:
        parts["choose"].pop(text, None)
    for text in parts["train"].keys() | parts["choose"].keys():
        parts["judge"].pop(text, None)
    return {part: list(found.values()) for part, found in parts.items()}


def _all(folder: Path) -> Iterator[tuple[str, UserTurn]]:
    for row in json_rows(folder / "dialogues.jsonl.gz"):
        said = [
            content_text(message.get("content")).strip() for message in row["messages"] if message["role"] == "user"
        ]
        said = [text for text in said if text]
        for text in said:
            yield row["id"], UserTurn(text, row["source"], row["lang"])
        if len(said) > 1:
            yield row["id"], UserTurn("\n".join(said)[:JOINED], f"{row['source']}{JOINED_MARK}", row["lang"])
    for row in json_rows(folder / "instructions.jsonl"):
        group = row["meta"].get("task") or re.sub(r"-L\d+$", "", row["id"])
        yield f"{row['source']}:{group}", UserTurn(row["prompt"], row["source"], row["lang"], True)


def part_of(group: str) -> TurnPart:
    """The part to which everything of a dialogue or task belongs; the name of a task holds its source and a colon."""
    share = int.from_bytes(hashlib.sha256(group.encode()).digest()[:8], "big") / 2**64
    return next(part for part, end in (TASKS if ":" in group else SHARES) if share < end)
