"""Letters are read whole, whatever bytes they hold, and a part that is missing or wrong is said."""

from __future__ import annotations

import json
import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback.dead.letter import join, read
from feedback.letters import HEAD, letters
from understudy.errors import BadRequest

TOPIC = "understudy.exchanges"
LIMIT = HEAD + 6000


@given(st.binary(max_size=9000), st.randoms(use_true_random=False))
def test_bytes_come_back_exactly_whatever_they_are(content: bytes, chance: random.Random) -> None:
    made = letters(TOPIC, "会话", content, "why \ud800", spool="s", number=3, position="9-0", limit=LIMIT)
    parts = [part for message in made if (part := read(message))]
    chance.shuffle(parts)
    found = join([*parts, parts[0]])
    assert (found.content, found.session, found.number, found.position) == (content, "会话", 3, "9-0")
    assert {part.id for part in parts} == {found.id}


def test_two_events_at_one_position_of_two_partitions_are_two_letters() -> None:
    made = [read(letters(TOPIC, "", value, "", spool="s", number=3, position="9-0")[0]) for value in (b"a", b"b", b"a")]
    first, second, third = [one.id for one in made if one]
    assert first == third != second


def test_a_missing_part_or_a_changed_one_is_said() -> None:
    parts = [part for message in letters(TOPIC, "s", b"ab" * 2500, "", limit=LIMIT) if (part := read(message))]
    assert len(parts) > 2
    with pytest.raises(BadRequest, match="lacks part 2 of"):
        join([part for part in parts if part.part != 2])
    with pytest.raises(BadRequest, match="does not hold the bytes"):
        join([*parts[:-1], replace(parts[-1], content=b"other")])


def test_letters_of_the_first_schema_are_read_and_others_are_none() -> None:
    old = {
        "schema_version": 1,
        "topic": TOPIC,
        "position": "1-0",
        "spool": "s",
        "number": 2,
        "error": "e",
        "value": "{}",
    }
    found = read(json.dumps(old).encode())
    assert found is not None
    assert (found.content, found.number, len(found.id)) == (b"{}", 2, 32)
    for wrong in ([], {**old, "schema_version": 3}, {"schema_version": 2}, {**old, "number": "x"}):
        assert read(json.dumps(wrong).encode()) is None
    assert read(b"no JSON") is None
