"""What the redactor finds of generated messages, and that the benchmark counts right."""

from __future__ import annotations

import json
from itertools import islice
from pathlib import Path

import pytest

from bench.page import table
from bench.redaction import answer, main, measure, page, read
from bench.redaction_speed import LENGTHS, RICH, sorts
from trials.personal import PersonalRow, generated
from understudy.errors import UsageError

BEHIND_WORDS = {"name", "address"}
LEAST, LEAST_BEHIND_WORDS, MOST_CHANGED = 0.97, 0.8, 0.01


def test_generated_values_are_found_and_harmless_messages_stay() -> None:
    found = answer(measure(generated(7, 1200)))
    for row in found["recall"]:
        assert row["recall"] >= (LEAST_BEHIND_WORDS if row["kind"] in BEHIND_WORDS else LEAST), row
    assert found["changed"] <= MOST_CHANGED * found["harmless"], found["wrongly_changed"]


def test_a_value_that_is_found_in_part_is_missed_and_unseen_characters_move_nothing() -> None:
    text = "写信到 bob\u200b@example.com\u200b 或 xyz"
    start = text.index("bob")
    rows = [PersonalRow(text, ((start, start + 16, "email"), (start, len(text), "email"))), PersonalRow("订单 1")]
    found = answer(measure(rows))
    assert (found["values"], found["found"], found["harmless"], found["changed"]) == (2, 1, 1, 0)


def test_rows_of_a_file_are_measured_and_a_wrong_one_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, out = tmp_path / "rows.jsonl", tmp_path / "out.json"
    data.write_text('{"text": "call 13812345678", "values": [[5, 16, "phone"]]}\n{"text": "hi"}\n')
    assert main(["--data", str(data), "--json", str(out), "--quick", "--against", "no.such"]) == 0
    assert json.loads(out.read_text())["recall"] == [
        {"kind": "phone", "language": "en", "n": 1, "found": 1, "recall": 1.0}
    ]
    speed = json.loads(out.read_text())["speed"]
    names = ("English", "Chinese", "mixed", "rich in digits")
    assert [(row["turns"], row["length"]) for row in speed] == [(name, length) for name in names for length in LENGTHS]
    assert all(0 < row["least"] <= row["p50"] <= row["p99"] and row["other"] is None for row in speed)
    assert "| mixed | 8000 | 10 |" in page(json.loads(out.read_text()), table)
    assert "us a text" in capsys.readouterr().out
    data.write_text('{"text": 1, "values": [[5]]}\n')
    with pytest.raises(UsageError, match="line 1"):
        list(read(data))


def test_turns_rich_in_digits_are_and_mixed_ones_hold_both_languages() -> None:
    found = sorts()
    assert all(sum(map(str.isdecimal, text)) >= RICH for text in found["rich in digits"].texts)
    assert {*found["English"].texts, *found["Chinese"].texts} == set(found["mixed"].texts)
    assert len({*islice(found["mixed"].stretches(500), 200)}) == 200
