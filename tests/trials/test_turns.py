"""Turns as people write them, or made ones where there are none."""

from __future__ import annotations

import json
from itertools import islice
from pathlib import Path

import pytest

from trials.turns import turns


@pytest.fixture(autouse=True)
def fresh() -> None:
    """What was read before is forgotten."""
    turns.cache_clear()


def test_turns_are_read_by_language_and_joined_to_a_length(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNDERSTUDY_DATA", str(tmp_path))
    rows = [{"lang": "en", "prompt": "one two"}, {"lang": "zh", "prompt": "三四"}, {"lang": "en", "prompt": "five six"}]
    (tmp_path / "instructions.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    found = turns("en")
    assert (found.source, found.texts) == ("shared data", ("five six", "one two"))
    assert set(islice(found.stretches(7), 2)) == {"five si", "one two"}
    assert {len(text) for text in islice(found.stretches(40), 5)} == {40}


def test_without_data_turns_are_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNDERSTUDY_DATA", str(tmp_path))
    for name in ("en", "zh"):
        found = turns(name)  # type: ignore[arg-type]
        assert found.source == "generated"
        assert len(found.texts) > 500
