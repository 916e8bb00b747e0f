"""A short outage of a real Redis: both gateways go on answering, and what is missing at the end shows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from bench.faults import outage
from bench.faults.outage import GatewayUnderLoad, good, measure, outage_rows
from bench.faults.steady import percentiles
from feedback.bus.config import BusConfig
from feedback.bus.opening import open_bus
from feedback.bus.protocol import Numbered
from feedback.events import EXCHANGES
from feedback.store.config import RedisConfig
from trials.system import free_ports

pytestmark = pytest.mark.timeout(240)


def test_every_event_of_an_outage_arrives(tmp_path: Path) -> None:
    result = measure(tmp_path, "redis", seconds=4.0, rate=25.0, around=2.0)
    cut, beside = result["gateways"]["cut off"], result["gateways"]["beside"]
    assert good(result), result
    assert cut["answered"] == beside["answered"] > 0
    assert sum(phase["requests"] for phase in cut["milliseconds"].values()) == cut["answered"]
    assert all(phase["requests"] > 0 for phase in cut["milliseconds"].values())
    assert (cut["bus_up"], beside["bus_up"]) == (False, True)
    assert all(len(row) == 3 for row in outage_rows(result))


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as made:
        yield made


def test_an_event_that_never_came_is_missing(tmp_path: Path, stack: ExitStack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outage, "QUIET", 0.5)
    monkeypatch.setattr(outage, "running", lambda *_: stack)
    one = GatewayUnderLoad(tmp_path / "one", "one", "redis", free_ports(1)[0], stack)
    bus = open_bus(BusConfig(url=one.url, partitions=outage.PARTITIONS), RedisConfig())
    bus.publish(EXCHANGES, 3, "spool", [Numbered(1, "one-1", b"{}"), Numbered(2, "one-2", b"{}")])
    monkeypatch.setattr(one, "ask", dict)
    one.load.answered = {"one-1", "one-2", "one-3"}
    one.collect()
    assert one.missing() == {"one-3"}


def test_percentiles_are_those_of_the_ordered_figures() -> None:
    found = percentiles([n / 1000 for n in range(200, 0, -1)])
    assert found == {"requests": 200, "p50": 101.0, "p99": 199.0, "max": 200.0}
    assert percentiles([])["p99"] == 0.0
