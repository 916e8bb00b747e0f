"""The learning half on a small model: a teacher, a cut of it, dialogues; it goes on where it was."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench.real import main, telling
from bench.real.course import ROUND_MINUTES, budget, is_judged
from bench.real.telling import worked
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
    assert [budget(done, 12.0) for done in (0.0, 5.0, 10.0, 12.0, 13.5)] == [ROUND_MINUTES, ROUND_MINUTES, 2, 0, 0]
    assert budget(0.25, 0.5, 0.25) == 0.25


def test_a_round_that_takes_longer_than_it_should_counts_for_what_it_took() -> None:
    assert worked({"score_seconds": 106.0, "train_seconds": 395.0}) == pytest.approx(8.35)
    assert worked({"error": "too few rows"}) == 0


def test_a_course_is_looked_at_where_it_passes_what_is_asked_and_at_its_end() -> None:
    passed = [(0.0, 5.0), (5.0, 10.0), (8.4, 16.6), (16.6, 24.9), (24.9, 33.2), (33.2, 45.0), (58.0, 66.0)]
    assert [is_judged(*one, until=45.0) for one in passed] == [1, 0, 1, 0, 1, 1, 1]


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
    told = json.loads(book.read_text())
    assert [row["minute"] for row in told["rows"]] == [row["minutes"] for row in record["rows"]]
    marks = record["rows"][1]["marks"]
    assert told["rows"][1]["agreement"] == marks["dialogues"]["agreement"]
    assert told["rows"][1]["general"] == marks["general"]["agreement"]
    assert told["rows"][1].keys() >= {"exact", "prefix", "similarity"}
    assert told["ratios"] == {}
    (tmp_path / "instructions.jsonl").unlink()
    assert main.main([*words, "--minutes", "0.1"]) == 0
    (record,) = main.records(book)
    assert record["rows"][-1]["minutes"] >= 0.1
    assert all(row["minutes"] >= 0.05 for row in record["rows"][1:])
    assert record["rows"][1] == first
    assert len(telling.learned(record)) == 5, "general instructions are left out of the last row"
    assert "2 rounds" in telling.trained(record)
    said = capsys.readouterr()
    assert "no general slice" in said.err
    assert "UNDERSTUDY_DATA" in said.err
    assert "3 layers" in said.out
