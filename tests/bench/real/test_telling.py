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
         "did": {"reply_tokens": 1000, "token_seconds": 0.002}},
    ]  # fmt: skip
    return {
        "layers": 8, "teacher": "SmolLM2", "round_minutes": 5.0, "prompts": 400, "longest": 192, "clock": "processor",
        "rows": rows, "serving": serving | {"costs": costs(arms, 0.2, 0.1)},
    }  # fmt: skip


def test_ratios_stand_beside_what_is_asked() -> None:
    rows = {row[0]: row[3:] for row in telling.sizes(record())}
    assert rows["time to the first token"] == ("0.25", "at most 0.65", "met")
    assert rows["tokens/s, 8 streams"] == ("4.00", "at least 3", "met")
    assert rows["tokens/s, 1 stream"] == ("4.00", "", "")
    assert rows["memory of all its processes"] == ("0.50", "at most 0.52", "met")


def test_the_page_says_what_was_run_and_on_what_load() -> None:
    text = page.SECTIONS["real"][2]({"records": [record()]})
    assert "1 rounds by processor time of both cores, 1 of them an improvement" in text
    assert "500 tokens/s" in text
    assert "load was 1 to 3" in text
    assert "| 5 | general | 0.500 | 0.400 to 0.600 |" in text
    assert "| 90% |" in text


def test_a_record_without_one_half_shows_the_other(monkeypatch) -> None:
    out = io.StringIO()
    monkeypatch.setattr(telling, "Console", lambda: Console(file=out, width=160))
    telling.show(record() | {"serving": None})
    assert "agreement" in out.getvalue()
    assert "student answers" not in out.getvalue()
    telling.show(record() | {"rows": []})
    assert "student answers" in out.getvalue()
