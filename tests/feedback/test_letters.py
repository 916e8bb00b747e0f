"""What a dead letter holds comes back to the byte, in however many parts."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback.letters import HEAD, letters, value_of


@given(st.binary(max_size=3000), st.integers(HEAD + 60, HEAD + 9000))
def test_a_value_comes_back_whole_and_no_part_is_above_the_limit(value: bytes, limit: int) -> None:
    made = letters("t", "会话", value, "why", spool="s", number=7, position="9", limit=limit)
    assert max(len(part) for part in made) <= limit
    parts = [json.loads(part) for part in made]
    assert value_of(parts[::-1]) == value
    assert {(part["letter"], part["session"], part["number"]) for part in parts} == {(parts[0]["letter"], "会话", 7)}


def test_text_stays_readable() -> None:
    assert "您好".encode() in letters("t", "s", "您好".encode(), "不是 JSON")[0]


def test_a_letter_without_all_its_parts_is_refused() -> None:
    parts = [json.loads(part) for part in letters("t", "s", b"x" * 5000, "why", limit=HEAD + 600)]
    assert len(parts) > 2
    with pytest.raises(ValueError, match="parts"):
        value_of(parts[1:])
