"""What the report reads from the state directory: the traffic of this run, and the round that made the version."""

from __future__ import annotations

import json
from unittest.mock import AsyncMock

import pytest

from deploy.routing.document import RoutingDocument
from deploy.routing.stores import open_routing
from serving.up.report.asking import LoadedEngine
from serving.up.report.main import all_loaded, compose, read_documents, read_rows, round_of
from tests.deploy.fleet import beside, register
from understudy.config import Config
from understudy.errors import UnderstudyError
from understudy.state import StateDir

NONE_MIXED = {"asked": 0, "mixed": 0}


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


def test_what_stands_beside_a_version_stands_in_the_report(state_dir: StateDir, redis_url: str) -> None:
    assert beside(state_dir, "t1", "dequantised from Q4_1", "teacher") == "t1"
    assert [beside(state_dir, "imported", "dequantised from Q8_0"), register(state_dir, "learned")] == ["v1", "v2"]
    given = {"before": "v1", "after": "v2", "live_at": 3.0, "ready": 1.0, "started": 0.0}
    config = Config({"redis": {"url": redis_url}})
    report = compose(state_dir, config, given, [], [RoutingDocument(epoch=1, teacher="t1")], [], {}, {}, NONE_MIXED)
    assert report["notes"] == {"t1": "dequantised from Q4_1", "v1": "dequantised from Q8_0"}
    assert report["versions"] == {"before": "v1", "after": "v2"}


async def test_an_engine_whose_sign_of_life_is_late_is_waited_for(
    state_dir: StateDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("serving.up.report.main.asyncio.sleep", AsyncMock())
    routing = open_routing(state_dir, None)
    found = iter([UnderstudyError("no engine holds v2 now"), UnderstudyError("still"), []])

    def loaded(*_: object) -> list[LoadedEngine]:
        if isinstance(one := next(found), Exception):
            raise one
        return one

    monkeypatch.setattr("serving.up.report.main.loaded", loaded)
    assert await all_loaded(state_dir, routing, ["v2"]) == []
    monkeypatch.undo()
    monkeypatch.setattr("serving.up.report.main.LOADED_SECONDS", 0)
    with pytest.raises(UnderstudyError, match="no engine holds v2 now"):
        await all_loaded(state_dir, routing, ["v2"])
