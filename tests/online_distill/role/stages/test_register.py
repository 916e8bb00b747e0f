"""The register stage: a version that says what it was made of."""

from __future__ import annotations

from online_distill.role.context import Context
from understudy.files import read_json


def test_the_manifest_names_rows_targets_trajectory_and_settings(finished: Context) -> None:
    manifest = finished.registry.verify("v2")
    lineage, distilled = manifest.lineage, finished.summary("distil")
    assert (manifest.parent, manifest.teacher, manifest.round) == ("v1", "t1", 1)
    assert (lineage["trajectory"], lineage["targets"]) == (distilled["chain"], distilled["data"])
    assert lineage["samples"] == finished.summary("select")["samples"]
    assert lineage["recipe"] == finished.config.lineage()
    assert set(lineage["libraries"]) == {"python", "torch", "transformers", "numpy", "cpu", "numbers"}
    rows = (finished.folder("select") / "train.jsonl").read_text().splitlines()
    assert len(lineage["exchanges"]) == len(rows)
    assert manifest.metrics == read_json(finished.folder("evaluate") / "evaluation.json")["summary"]
