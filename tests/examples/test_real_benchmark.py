"""`understudy bench real --quick` on a small model with engines: both halves, and what others read of its JSON."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from bench.real import main
from tests.bench.real.test_main import dialogues
from tests.onboard.models import tiny

pytestmark = [
    pytest.mark.engines,
    pytest.mark.timeout(900),
    pytest.mark.skipif(os.environ.get("UNDERSTUDY_FULL") != "1", reason="starts two engines alone: UNDERSTUDY_FULL=1"),
]


def test_a_quick_run_learns_serves_and_tells_ratios_by_the_names_of_the_interface(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    book, settings = tmp_path / "real.json", tmp_path / "small.yaml"
    settings.write_text(
        "trainer: {max_epochs: 1, batch_tokens: 512, min_steps: 2}\n"
        "engines: {max_model_len: 256, kv_cache_bytes: 67108864}"
    )
    words = [
        "--train", str(dialogues(tmp_path / "train.jsonl", 0, 60)), "--judge",
        str(dialogues(tmp_path / "judge.jsonl", 60, 20)), "--teacher", str(tiny(tmp_path / "model", layers=6)),
        "--layers", "2", "--quick", "--config", str(settings), "--json", str(book),
    ]  # fmt: skip
    assert main.main(words) == 0
    told = json.loads(book.read_text())
    assert told["rows"][0]["minute"] == 0
    assert len(told["rows"]) >= 2
    ratios = told["ratios"]
    assert ratios["throughput"].keys() == {"1", "8", "16"}
    assert all(ratio > 0 for ratio in (*ratios["throughput"].values(), ratios["ttft"], ratios["memory"]))
    assert 0.2 < ratios["weights"] < 1
    (record,) = told["records"]
    assert [row["share"] for row in record["serving"]["costs"]] == [0.0, 0.5, 0.9]
    assert "tokens/s, 8 streams" in capsys.readouterr().out
