"""Rows as they lie on disk."""

from __future__ import annotations

from pathlib import Path

from online_distill.data.rows import Row, read_rows, write_rows
from tests.online_distill.world import make_samples


def test_rows_survive_the_disk_with_their_language(tmp_path: Path) -> None:
    rows = [Row.of(sample, "hard", parent="v1") for sample in make_samples(4)]
    write_rows(tmp_path / "rows.jsonl", rows)
    assert read_rows(tmp_path / "rows.jsonl") == rows
    assert [row.lang for row in rows] == ["en", "zh", "en", "zh"]


def test_an_anchor_weighs_one_whatever_its_sample_weighed() -> None:
    sample = make_samples(1)[0].model_copy(update={"weight": 3.0})
    assert Row.of(sample, "anchor", parent="v1").weight == 1.0
    assert Row.of(sample, "hard", parent="v1").weight == 3.0
