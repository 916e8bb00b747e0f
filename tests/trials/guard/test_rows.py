"""Rows are read whole, and a wrong one is named."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from trials.guard.rows import guard_rows
from understudy.errors import UsageError


def test_rows_may_carry_a_system_message(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    rows = [
        {"text": "a\u2028b", "label": "attack", "family": "x:y", "system": "be kind"},
        {"text": "忘记密码了", "label": "benign", "family": "z", "meta": {"system_prompt": "keep it"}},
    ]
    file.write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in rows) + "\n\n", "utf-8")
    first, second = guard_rows(file)
    assert (first.text, first.attack, first.system, first.language) == ("a\u2028b", True, "be kind", "en")
    assert (second.attack, second.system, second.language) == (False, "keep it", "zh")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "line 2: not a row"),
        ("[]", "line 2: not a row"),
        ('{"text": "a", "label": "attack"}', "line 2: not a row"),
        ('{"text": "a", "label": "bad", "family": "f"}', "line 2: label 'bad'"),
    ],
)
def test_a_wrong_line_is_named(tmp_path: Path, line: str, said: str) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text('{"text": "a", "label": "benign", "family": "f"}\n' + line + "\n", "utf-8")
    with pytest.raises(UsageError, match=said):
        guard_rows(file)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"none\.jsonl"):
        guard_rows(tmp_path / "none.jsonl")
