"""Records reach whoever tells of them; what there is no room for, or a fault costs, is counted."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import pytest

from serving.gateway.observing import ledger as module
from serving.gateway.observing.ledger import Finished, RequestLedger
from tests.waiting import eventually


def record(number: int) -> Finished:
    return Finished(1.0, 1.0, 0.5, str(number), "/v1/completions", 200, "complete", "default")


def test_records_come_in_order_to_every_sink_and_the_rest_at_the_end() -> None:
    one: list[str] = []
    two: list[str] = []
    made = RequestLedger(lambda rs: one.extend(r.request for r in rs), lambda rs: two.extend(r.request for r in rs))
    for number in range(100):
        made.put(record(number))
    eventually(lambda: len(two) == 100)
    made.put(record(100))
    made.close()
    assert one == two == [str(number) for number in range(101)]
    assert made.counts == {"told": 101, "dropped": 0}


def test_beyond_its_bound_records_are_dropped_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST", 10)
    held, entered = threading.Event(), threading.Event()

    def slow(records: Sequence[Finished]) -> None:
        entered.set()
        held.wait(30)

    made = RequestLedger(slow)
    made.put(record(0))
    assert entered.wait(30)
    for number in range(25):
        made.put(record(number))
    assert made.counts["dropped"] == 15
    held.set()
    made.close(30)
    assert made.counts == {"told": 11, "dropped": 15}


def test_a_sink_that_fails_costs_its_records_alone(caplog: pytest.LogCaptureFixture) -> None:
    seen: list[str] = []

    def faulty(records: Sequence[Finished]) -> None:
        if records[0].request == "0":
            raise OSError("no space left on device")
        seen.extend(one.request for one in records)

    made = RequestLedger(faulty)
    made.put(record(0))
    eventually(lambda: made.counts["dropped"] == 1)
    made.put(record(1))
    made.close(30)
    assert seen == ["1"]
    assert "no space left" in caplog.text
