"""How many harmless requests the guard's deadline degraded is read from a gateway that runs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench.guard import deadline, main, telling
from bench.page import table
from understudy.errors import UsageError

LONG = "The parcel went from Lyon to Ghent, and what it held was counted twice. "
"""Enough of it is looked at in several pieces, between which the guard looks at its clock."""


def test_what_ran_out_of_time_is_counted_by_the_gateway(tmp_path: Path) -> None:
    file = tmp_path / "texts.jsonl"
    rows = [{"prompt": f"Where is parcel {n}?"} for n in range(7)]
    rows += [{"text": f"{n}: {LONG * 150}"} for n in range(3)]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    found = deadline.measured(10, file, deadline_ms=0.001)
    assert (found["requests"], found["failed"]) == (10, 0)
    assert found["degraded_by_deadline"] == found["told_deadline"] == 3
    page = telling.page({"deadline": found}, table)
    assert "asked: at most 1 in 10,000 | 3: not met" in page


def test_a_dialogue_is_sent_up_to_a_turn_of_its_user(tmp_path: Path) -> None:
    said = [{"role": role, "content": str(n)} for n, role in enumerate(["system", "user", "assistant", "user"])]
    file = tmp_path / "texts.jsonl"
    file.write_text(json.dumps({"messages": [*said, {"role": "assistant", "content": "4"}]}) + "\n" * 2, "utf-8")
    source, (chat,) = deadline.benign(file)
    assert source == "texts.jsonl"
    assert chat in (said[:2], said)


def test_a_file_without_texts_is_refused(tmp_path: Path) -> None:
    (tmp_path / "none.jsonl").write_text('{"id": 1}\n', "utf-8")
    with pytest.raises(UsageError, match="holds no texts"):
        main.main(["--deadline", "--texts", str(tmp_path / "none.jsonl")])
