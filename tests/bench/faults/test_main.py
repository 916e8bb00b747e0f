"""Some faults of each sort on a real Redis, and on a real Kafka: nothing lost, doubled or out of order."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from bench.faults.main import main
from tests.shared_data import kafka_home

FULL = os.environ.get("UNDERSTUDY_FULL") == "1"
pytestmark = pytest.mark.timeout(3600 if FULL else 240)


def played(path: Path, bus: str, kills: int, events: int) -> dict[str, object]:
    done = main(["--bus", bus, "--kills", str(kills), "--events", str(events), "--json", str(path / "faults.json")])
    result: dict[str, object] = json.loads((path / "faults.json").read_text())
    assert done == 0, result
    return result


def test_redis_loses_doubles_and_reorders_nothing(tmp_path: Path) -> None:
    kills, events = (200, 50_000) if FULL else (4, 400)
    result = played(tmp_path, "redis", kills, events)
    missing = sum(result[name] for name in ("refused", "unspooled", "unsent"))  # type: ignore[misc]
    assert (result["acknowledged"], result["faults"]) == (events - missing, kills)
    assert (result["lost"], result["doubled"], result["out_of_order"]) == (0, 0, 0)


@pytest.mark.kafka
def test_kafka_loses_doubles_and_reorders_nothing(tmp_path: Path) -> None:
    kafka_home()
    kills, events = (200, 50_000) if FULL else (3, 300)
    result = played(tmp_path, "kafka", kills, events)
    assert (result["lost"], result["doubled"], result["out_of_order"]) == (0, 0, 0)
