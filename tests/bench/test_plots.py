"""The picture of the statistics shows the figures that were measured, and is the same each time."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from bench.page import FOLDER
from bench.plots import caught, peeking, rollbacks, statistics

REPORT = json.loads((FOLDER / "statistics.json").read_bytes())


def test_what_is_drawn_is_what_was_measured() -> None:
    assert [(ours, other) for _, ours, other in peeking(REPORT)] == [
        (r["error"], r["naive"]) for r in REPORT["peeking"]
    ]
    drawn = [(ours, other) for _, ours, other in rollbacks(REPORT)]
    assert drawn == [(row["deployed"], row["first"]) for row in REPORT["false_rollbacks"]]
    asked = {(row["base"], row["worse"]) for row in REPORT["caught"]}
    assert len(caught(REPORT)) == len(asked)
    assert math.isnan(caught({"caught": [{"base": 0.3, "worse": 0.1, "rule": "deployed", "p95": None},
                                         {"base": 0.3, "worse": 0.1, "rule": "first", "p95": 9}]})[0][1])  # fmt: skip


def test_the_same_report_is_the_same_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MPLCONFIGDIR", str(tmp_path / "mpl"))
    one, other = tmp_path / "one.svg", tmp_path / "other.svg"
    statistics(REPORT, one)
    statistics(REPORT, other)
    assert one.read_bytes() == other.read_bytes()
    for words in ("always valid", "equal candidates taken back", "30%, 3 points worse"):
        assert words in one.read_text("utf-8")
