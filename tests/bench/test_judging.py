"""The command that times how a round judges: it judges every row, and its page says what it measured."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench.judging import QUICK, main, page


def test_a_quick_run_judges_every_row_and_its_page_says_how_long_that_took(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--quick", "--json", str(tmp_path / "judging.json")]) == 0
    report = json.loads((tmp_path / "judging.json").read_text())
    assert report["rows"] == QUICK
    assert report["seconds"] > 0
    assert f"judged on {QUICK} general rows in" in " ".join(capsys.readouterr().out.split())
    told = page({"rows": 1000, "seconds": 8.24, "processor_seconds": 7.96, "load": 8.6})
    assert "on 1000 general rows in 8.2 s, of which 8.0 s of the processor, on one thread" in told
