"""The learning half on a small model: a teacher, a cut of it, dialogues; it goes on where it was."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench.real import main, telling
from bench.real.course import ROUND_MINUTES, is_judged, lengths
from tests.onboard.models import tiny


def dialogues(file: Path, first: int, count: int) -> Path:
    rows = [
        {"id": f"d{n}", "messages": [{"role": "user", "content": f"Where is order {n}?"},
         {"role": "assistant", "content": "On its way."}, {"role": "user", "content": f"And {n + 1}?"}]}
        for n in range(first, first + count)
    ]  # fmt: skip
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file


def test_a_course_has_rounds_of_equal_length_and_a_shorter_last_one() -> None:
    assert lengths(12) == [ROUND_MINUTES, ROUND_MINUTES, 2]
    assert lengths(0.5, 0.25) == [0.25, 0.25]
    assert sum(lengths(60)) == 60


def test_options_that_make_no_sense_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main.parsed(["--minutes", "0"])
    assert "--minutes" in capsys.readouterr().err


def test_rounds_are_taken_judged_and_gone_on_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("UNDERSTUDY_DATA", str(tmp_path))
    instruction = {"id": "i1", "lang": "en", "prompt": "Say hello."}
    (tmp_path / "instructions.jsonl").write_text(json.dumps(instruction) + "\n")
    (tmp_path / "small.yaml").write_text("trainer: {max_epochs: 2, batch_tokens: 512, min_steps: 2}")
    book = tmp_path / "real.json"
    words = [
        "--train", str(dialogues(tmp_path / "train.jsonl", 0, 80)), "--judge",
        str(dialogues(tmp_path / "judge.jsonl", 70, 20)), "--teacher", str(tiny(tmp_path / "model")), "--layers", "3",
        "--prompts", "120", "--judged", "12", "--threads", "1", "--half", "learning", "--round-minutes", "0.05",
        "--config", str(tmp_path / "small.yaml"), "--state", str(tmp_path / "state"), "--json", str(book),
    ]  # fmt: skip
    assert main.main([*words, "--minutes", "0.05"]) == 0
    (record,) = main.records(book)
    assert record["note"] == ""
    assert record["train_prompts"] == 140, "dialogues 70 to 79 are judged, and so never learned"
    assert [row["round"] for row in record["rows"]] == [0, 1]
    assert record["rows"][0]["marks"].keys() == {"dialogues", "general"}
    assert record["rows"][0]["marks"]["dialogues"]["n"] == 12
    assert record["rows"][1]["did"]["steps"] > 0
    assert record["rows"][1]["fitness"]["n"] >= 20
    first = record["rows"][1]
    (tmp_path / "instructions.jsonl").unlink()
    assert main.main([*words, "--minutes", "0.1"]) == 0
    (record,) = main.records(book)
    assert [row["minutes"] for row in record["rows"]] == [0.0, 0.05, 0.1]
    assert record["rows"][1] == first
    assert len(telling.learned(record)) == 5, "general instructions are left out of the last row"
    assert "2 rounds" in telling.trained(record)
    assert [is_judged(minutes) for minutes in (0.0, 5.0, 10.0, 15.0, 30.0, 45.0, 60.0)] == [1, 1, 0, 1, 1, 0, 1]
    said = capsys.readouterr()
    assert "no general slice" in said.err
    assert "UNDERSTUDY_DATA" in said.err
    assert "3 layers" in said.out
