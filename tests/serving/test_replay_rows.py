"""Rows of a replay file as prompts: packed, damaged, of any shape; and the tally of what came back."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.replay_rows import Tally, header, of_row, percentiles, prompts


def say(*texts: str) -> dict:
    roles = ["user", "assistant"]
    return {"id": "对话-1", "messages": [{"role": roles[i % 2], "content": t} for i, t in enumerate(texts)]}


def test_a_row_ends_at_its_last_user_turn_or_at_each() -> None:
    row = {**say("a", "b", "c", "d"), "user": "某人"}
    (last,) = of_row(row, "last")
    assert [message["content"] for message in last.messages] == ["a", "b", "c"]
    assert [len(prompt.messages) for prompt in of_row(row, "all")] == [1, 3]
    assert (last.session, last.user) == (header("对话-1"), header("某人"))


def test_messages_without_text_are_left_out_and_a_row_without_a_user_is_none() -> None:
    tool = {"role": "assistant", "content": None, "tool_calls": []}
    row = {"messages": [{"role": "tool", "content": "x"}, tool, {"role": "user", "content": "a"}]}
    assert [prompt.messages for prompt in of_row(row, "last")] == [[{"role": "user", "content": "a"}]]
    with pytest.raises(ValueError, match="no message of the role user"):
        of_row({"messages": [tool]}, "last")


def test_refusals_are_no_failures_and_broken_replies_are() -> None:
    tally = Tally()
    tally.answered(200, {"x-understudy-arm": "student"}, 0.1, 0.4, complete=True)
    tally.answered(422, {}, 0.1, 0.1, complete=True)
    tally.answered(503, {}, 0.1, 0.1, complete=True)
    tally.answered(200, {}, 0.1, 0.2, complete=False)
    tally.answered(200, {"x-understudy-degraded": "guard"}, 0.1, 0.1, complete=True)
    tally.broken("ConnectError")
    told = tally.summary()
    assert (told["requests"], told["failures"], told["refused"], told["truncated"]) == (6, 3, 1, 1)
    assert (told["arms"], told["degraded"]) == ({"student": 1, "unknown": 1}, {"guard": 1})
    assert told["last_error"] == "ConnectError"


def test_a_damaged_archive_gives_what_can_be_read(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl.gz"
    whole = gzip.compress(b"".join(json.dumps(say(f"q{i}")).encode() + b"\n" for i in range(2000)))
    file.write_bytes(whole[: len(whole) // 2])
    complaints: list[str] = []
    found = prompts(file, "last", 0, Tally(), lambda number, why: complaints.append(why))
    assert 0 < len(found) < 2000
    assert any("cannot be read on" in why for why in complaints)


leaves = st.none() | st.booleans() | st.integers() | st.text()


@given(st.recursive(leaves, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
def test_no_row_breaks_the_reader(row) -> None:
    for value in (row, {"messages": row}, {"messages": [row]}):
        try:
            assert of_row(value, "all")
        except ValueError:
            continue


@given(st.text())
def test_any_id_becomes_a_header_value(text: str) -> None:
    assert header(text).isascii()
    assert header(text).isprintable() or header(text) == ""


def test_percentiles_by_nearest_rank() -> None:
    assert percentiles([float(n) for n in range(1, 101)]) == {"p50": 50.0, "p90": 90.0, "p99": 99.0, "max": 100.0}
    assert percentiles([]) == {}
