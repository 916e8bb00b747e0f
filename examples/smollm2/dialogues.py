"""Turns of customers from a file of dialogues: the committed sample, or a file of one's own."""

from __future__ import annotations

from pathlib import Path

from serving.replay_rows import ReplayMessage, turns
from understudy.errors import UsageError

HERE = Path(__file__).resolve().parent
SAMPLE, HELD_OUT = HERE / "dialogues.jsonl", HERE / "judge.jsonl"
LONGEST = 2400
"""Characters of a prompt: about 600 tokens of the 1,024 that the engines serve."""
CustomerTurns = list[tuple[str, tuple[ReplayMessage, ...]]]


def customer_turns(path: Path) -> CustomerTurns:
    """(name, messages up to a customer's turn) for each turn that is not too long.

    Raises:
        UsageError: a row is no dialogue, or no turn is left.
    """
    found = [
        (f"{prompt.session or number}/{place}", tuple(prompt.messages))
        for number, prompts in turns(path)
        for place, prompt in enumerate(prompts)
        if sum(len(message["content"]) for message in prompt.messages) <= LONGEST
    ]
    if not found:
        raise UsageError(f"{path} holds no customer's turn of at most {LONGEST} characters")
    return found
