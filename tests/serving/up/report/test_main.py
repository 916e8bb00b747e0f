"""What the report reads from the state directory: the traffic of this run, and the round that made the version."""

from __future__ import annotations

import json

from serving.up.report.main import read_documents, read_rows, round_of
from understudy.state import StateDir


def test_without_traffic_or_routing_there_are_no_rows_and_no_documents(state_dir: StateDir) -> None:
    assert list(read_rows(state_dir)) == []
    assert list(read_documents(state_dir)) == []


def test_each_line_of_the_traffic_is_a_row(state_dir: StateDir) -> None:
    state_dir.run.mkdir(parents=True, exist_ok=True)
    rows = [{"family": "drift", "reply": "明天"}, {"family": "general", "reply": ""}]
    (state_dir.run / "traffic.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    assert list(read_rows(state_dir)) == rows


def test_a_version_that_no_round_made_has_no_stages(state_dir: StateDir) -> None:
    assert round_of(state_dir, "v1") == ({}, {"steps": [], "decided_by": ""})
