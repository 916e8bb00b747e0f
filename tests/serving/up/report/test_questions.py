"""The questions of the report: written by an application, read row by row, a wrong row refused with its number."""

from __future__ import annotations

from pathlib import Path

import pytest

from demo.questions import main
from serving.up.report.questions import FAMILIES, read_questions
from understudy.errors import UnderstudyError


def test_an_application_writes_what_the_report_reads(tmp_path: Path) -> None:
    file = tmp_path / "questions.jsonl"
    assert main(["--count", "7", "--out", str(file)]) == 0
    found = read_questions(file)
    for family in FAMILIES:
        judged = found.of("judged", family)
        assert len(judged) == 7
        assert all(one.facts and one.messages[-1]["role"] == "user" for one in judged)
    judged = {str(one.messages) for family in FAMILIES for one in found.of("judged", family)}
    timed = {str(one.messages) for one in (*found.of("first_token"), *found.of("throughput"))}
    assert not timed & judged, "an engine that has seen a prompt answers it faster"


@pytest.mark.parametrize(
    "row", ['{"purpose": "judged"}', "none", '{"purpose": "fun", "family": "drift", "messages": []}']
)
def test_a_row_that_is_no_question_is_refused_by_its_number(tmp_path: Path, row: str) -> None:
    file = tmp_path / "questions.jsonl"
    right = '{"purpose": "judged", "family": "drift", "messages": [{"role": "user", "content": "Where is it?"}]}'
    file.write_text(f"{right}\n{row}\n")
    with pytest.raises(UnderstudyError, match="line 2"):
        read_questions(file)
    file.write_text(right)
    assert len(read_questions(file).of("judged", "drift")) == 1
    with pytest.raises(UnderstudyError, match="of general"):
        read_questions(file).of("judged", "general")
