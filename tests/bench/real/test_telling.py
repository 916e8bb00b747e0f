"""What is printed and what the page holds of a record."""

from __future__ import annotations

import io

from rich.console import Console

from bench import page
from bench.real import telling
from bench.real.serving import costs, ratios
from tests.bench.real.test_serving import arm

MARK = {"agreement": 0.5, "low": 0.4, "high": 0.6, "exact": 0.1, "prefix": 0.2, "similarity": 0.3, "n": 7}


def record() -> dict:
    arms = {
        name: arm(scale) | {"dtype": "float32", "streams": {n: row | {"load": 2.0} for n, row in found.items()}}
        for name, scale in (("teacher", 1.0), ("student", 0.25))
        for found in (arm(scale)["streams"],)
    }
    serving = {"arms": arms, "ratios": ratios(arms["teacher"], arms["student"]), "reply_tokens": 64, "cores": 2}
    rows = [
        {"minutes": 0.0, "marks": {"dialogues": MARK}, "load": 1.0},
        {"minutes": 5.0, "marks": {"dialogues": MARK, "general": MARK}, "load": 3.0, "better": True,
         "did": {"reply_tokens": 1000, "token_seconds": 0.002, "train_seconds": 200.0, "score_seconds": 40.0},
         "fitness": {"agreement": 0.5, "lower": 0.47, "wanted": 0.85, "event": "learned"}},
    ]  # fmt: skip
    return {
        "layers": 8, "teacher": "SmolLM2", "round_minutes": 5.0, "prompts": 400, "longest": 192, "clock": "processor",
        "train": "dialogues.jsonl bc29", "judge": "judge.jsonl 2f9e", "train_prompts": 810, "threads": 1,
        "machine": {"processor": "AMD EPYC"},
        "rows": rows, "serving": serving | {"quick": False, "costs": costs(arms, 0.2, 0.1)},
    }  # fmt: skip


def test_ratios_stand_beside_what_is_asked() -> None:
    rows = {row[0]: row[3:] for row in telling.sizes(record())}
    assert rows["time to the first token"] == ("0.25", "at most 0.65", "met")
    assert rows["tokens/s, 8 streams"] == ("4.00", "at least 3", "met")
    assert rows["tokens/s, 1 stream"] == ("4.00", "", "")
    assert rows["memory of all its processes"] == ("0.50", "at most 0.52", "met")


def test_the_page_says_what_was_run_and_on_what_load() -> None:
    text = page.SECTIONS["real"][2]({"records": [record()]})
    assert "1 rounds by minutes of one core, 1 of them an improvement" in text
    assert "SmolLM2" in text
    assert "`dialogues.jsonl bc29`, 810 prompts" in text
    assert "`judge.jsonl 2f9e`" in text
    assert "AMD EPYC" in text
    assert "best 0.500 (at least 0.470) of the teacher's tokens, of 0.85 asked" in text
    assert "500 tokens/s" in text
    assert "load was 1 to 3" in text
    assert "| 5 | general | 0.500 | 0.400 to 0.600 |" in text
    assert "| 90% |" in text
    assert "`--layers 8 --half learning --clock processor --threads 1`" in text
    assert "`--layers 8 --half serving --clock processor --threads 2`" in text


def test_what_an_engine_holds_stands_apart_and_what_is_out_of_reach_is_said() -> None:
    given = record()
    rows = {row[0]: row[1:] for row in telling.sizes(given)}
    assert rows["key-value cache of 1,000 tokens"][2] == "0.20"
    assert rows["the engine's own share"][:2] == ("0 MiB", "0 MiB")
    for name, read in (("teacher", 2_400_000), ("student", 1_000_000)):
        given["serving"]["arms"][name]["read"] = read
    text = page.SECTIONS["real"][2]({"records": [given]})
    assert "reads 2.4 times as few weights a token: its gain where nothing but reading them takes time" in text
    given["serving"]["quick"] = True
    assert "--quick" in page.SECTIONS["real"][2]({"records": [given]})


def test_the_page_shows_what_was_judged() -> None:
    given = record()
    first, row = given["rows"]
    judged = [first, *({**row, "minutes": 5.0 * n, "marks": row["marks"] if n != 2 else {}} for n in (1, 2, 3))]
    given["rows"] = judged
    assert {line[0] for line in telling.learned(given)} == {"0", "5", "15"}
    assert "3 rounds" in telling.trained(given)


def test_what_stands_beside_the_teacher_is_printed_and_on_the_page_of_records_with_and_without_it(monkeypatch) -> None:
    out = io.StringIO()
    monkeypatch.setattr(telling, "Console", lambda: Console(file=out, width=160))
    plain, noted = record(), record() | {"note": "dequantised from Q8_0"}
    telling.show(noted)
    assert out.getvalue().count("SmolLM2 (dequantised from Q8_0)") == 2
    assert page.SECTIONS["real"][2]({"records": [noted]}).count("SmolLM2 (dequantised from Q8_0), on") == 2
    assert "SmolLM2, on" in page.SECTIONS["real"][2]({"records": [plain]})


def test_a_record_without_one_half_shows_the_other(monkeypatch) -> None:
    out = io.StringIO()
    monkeypatch.setattr(telling, "Console", lambda: Console(file=out, width=160))
    telling.show(record() | {"serving": None})
    assert "agreement" in out.getvalue()
    assert "student answers" not in out.getvalue()
    telling.show(record() | {"rows": []})
    assert "student answers" in out.getvalue()
