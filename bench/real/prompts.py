"""What both arms are asked: turns of customers in dialogues of a file, and instructions of another one."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from online_distill.data.encoding import Encoder
from serving.replay_rows import ReplayMessage, turns
from trials.shared_data import data_folder
from understudy.errors import UsageError
from understudy.ids import unit_fraction

INSTRUCTIONS = "instructions.jsonl"
LANGUAGE = "en"
"""That SmolLM2 speaks."""


@dataclass(frozen=True, slots=True)
class RealPrompt:
    """One request; `group` is the dialogue that it is a turn of: what is asked in one hangs together."""

    id: str
    group: str
    messages: tuple[ReplayMessage, ...]

    @property
    def asked(self) -> tuple[tuple[str, str], ...]:
        """What tells it from another one."""
        return tuple((message["role"], message["content"]) for message in self.messages)

    @property
    def dialogue(self) -> tuple[str, str]:
        """What tells its dialogue from another one: files may number theirs alike, so its first words, too."""
        return self.group, next((message["content"] for message in self.messages if message["role"] == "user"), "")


def of_dialogues(path: Path, encoder: Encoder, longest: int, told: Callable[[str], None]) -> list[RealPrompt]:
    """Every turn of a customer whose prompt has at most `longest` tokens, once each, in the order of the file.

    `told` gets a sentence on how many are longer.

    Raises:
        UsageError: a row that is no dialogue, or no prompt at all.
    """
    found: dict[tuple[tuple[str, str], ...], RealPrompt] = {}
    asked = longer = 0
    for number, dialogue in turns(path):
        asked += len(dialogue)
        for place, turn in enumerate(dialogue):
            if len(encoder.prompt(list(turn.messages))) > longest:
                longer += len(dialogue) - place  # later turns are longer still
                break
            group = turn.session or f"{path.name}:{number}"
            one = RealPrompt(f"{group}/{place}", group, tuple(turn.messages))
            found.setdefault(one.asked, one)
    if not found:
        raise UsageError(f"{path} holds no turn of a customer within {longest} tokens: --longest")
    if longer:
        told(f"{longer} of {asked} turns of customers in {path} are left out: longer than {longest} tokens (--longest)")
    return list(found.values())


def apart(train: Sequence[RealPrompt], judged: Sequence[RealPrompt]) -> list[RealPrompt]:
    """Those to train on that share neither dialogue nor words with one that is judged.

    Raises:
        UsageError: none is left.
    """
    dialogues, asked = {one.dialogue for one in judged}, {one.asked for one in judged}
    kept = [one for one in train if one.dialogue not in dialogues and one.asked not in asked]
    if not kept:
        raise UsageError("every dialogue of --train is one of --judge, which is never learned: give other dialogues")
    return kept


def drawn(prompts: Sequence[RealPrompt], count: int, seed: str) -> list[RealPrompt]:
    """`count` of them by hash, so that a larger draw holds the smaller one."""
    return sorted(prompts, key=lambda one: unit_fraction(seed, one.id))[:count]


def instructions(encoder: Encoder, longest: int) -> list[RealPrompt]:
    """General instructions, which are judged and never learned; none where the data are not on this machine."""
    file = data_folder() / INSTRUCTIONS
    if not file.is_file():
        return []
    found = []
    for line in file.read_text("utf-8").splitlines():
        row = json.loads(line)
        if row["lang"] != LANGUAGE:
            continue
        one = RealPrompt(str(row["id"]), str(row["id"]), ({"role": "user", "content": str(row["prompt"])},))
        if len(encoder.prompt(list(one.messages))) <= longest:
            found.append(one)
    return found
