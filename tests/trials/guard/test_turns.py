"""Turns are parted by dialogue, and no text of learning is judged on."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

from trials.guard.turns import UNLEARNED, user_turns


def laid(folder: Path) -> Path:
    dialogues = [
        {
            "id": f"d{n}", "source": "shop", "lang": "en",
            "messages": [{"role": "user", "content": f"question {n}"}, {"role": "assistant", "content": f"answer {n}"},
                         {"role": "user", "content": "yes"}, {"role": "user", "content": f"and {n}?"}],
        }
        for n in range(60)
    ]  # fmt: skip
    with gzip.open(folder / "dialogues.jsonl.gz", "wt", encoding="utf-8") as file:
        file.writelines(json.dumps(row) + "\n" for row in dialogues)
    rows = [
        {"id": f"t-{n}-L1", "source": source, "lang": "en", "prompt": f"{source} {n}", "meta": {"task": f"{n}"}}
        for source in (UNLEARNED[0], "tasks")
        for n in range(60)
    ]
    (folder / "instructions.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return folder


def test_no_text_or_dialogue_is_in_two_parts(tmp_path: Path) -> None:
    parts = user_turns(laid(tmp_path))
    texts = {part: {turn.text for turn in turns} for part, turns in parts.items()}
    assert all(texts.values())
    assert not texts["train"] & texts["choose"]
    assert not (texts["train"] | texts["choose"]) & texts["judge"]
    numbers = {part: {text.split()[1] for text in held if text.startswith("question")} for part, held in texts.items()}
    assert not numbers["train"] & (numbers["choose"] | numbers["judge"])
    assert "yes" in texts["train"]


def test_what_carries_a_canary_is_never_learned_from(tmp_path: Path) -> None:
    parts = user_turns(laid(tmp_path))
    assert not [turn for turn in parts["train"] if turn.source in UNLEARNED]
    assert [turn for turn in parts["judge"] if turn.source in UNLEARNED]


def test_what_a_user_says_is_also_taken_as_one(tmp_path: Path) -> None:
    joined = [
        turn for turns in user_turns(laid(tmp_path)).values() for turn in turns if turn.source.endswith("(joined)")
    ]
    assert "question 3\nyes\nand 3?" in {turn.text for turn in joined}
    assert not [turn for turn in joined if "answer" in turn.text]


def test_without_the_files_there_are_no_turns(tmp_path: Path) -> None:
    assert not any(user_turns(tmp_path).values())
