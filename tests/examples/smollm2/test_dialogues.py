"""The committed dialogues, and files of one's own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from examples.smollm2.dialogues import HELD_OUT, LONGEST, SAMPLE, customer_turns
from serving.replay_rows import turns
from understudy.errors import UsageError


def test_the_sample_is_played_and_the_held_out_part_is_another() -> None:
    played, judged = customer_turns(SAMPLE), customer_turns(HELD_OUT)
    assert len(played) > 1000
    assert len(judged) > 300
    assert all(messages[-1]["role"] == "user" for _, messages in [*played, *judged])
    dialogue = {name.partition("/")[0] for name, _ in played}
    assert not dialogue & {name.partition("/")[0] for name, _ in judged}
    assert not {messages for _, messages in opening(played)} & {messages for _, messages in opening(judged)}


def opening(found: list) -> list[tuple[str, str]]:
    return [(name, messages[-1]["content"]) for name, messages in found if name.endswith("/0")]


def test_only_sources_that_the_notice_names_are_in_it() -> None:
    notice = (SAMPLE.parent / "NOTICE.md").read_text()
    for file in (SAMPLE, HELD_OUT):
        sources = {json.loads(line)["source"] for line in file.read_text().splitlines()}
        assert sources
        assert all(source in notice for source in sources)
        assert file.stat().st_size < 400_000


def test_a_wrong_row_is_named_by_its_line(tmp_path: Path) -> None:
    file = tmp_path / "mine.jsonl"
    good = json.dumps({"messages": [{"role": "user", "content": "Hello"}]})
    file.write_text(f'{good}\n{{"text": "?"}}\n')
    with pytest.raises(UsageError, match=r"mine.jsonl, line 2: .*messages"):
        customer_turns(file)
    file.write_text(good + "\n")
    assert customer_turns(file) == [("1/0", ({"role": "user", "content": "Hello"},))]


def test_a_turn_that_no_engine_could_take_is_left_out(tmp_path: Path) -> None:
    file = tmp_path / "mine.jsonl"
    file.write_text(json.dumps({"messages": [{"role": "user", "content": "x" * (LONGEST + 1)}]}))
    assert [len(found) for _, found in turns(file)] == [1]
    with pytest.raises(UsageError, match="no customer's turn"):
        customer_turns(file)
