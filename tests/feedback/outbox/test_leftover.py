"""Spools of workers that are no more are emptied, and no others."""

from __future__ import annotations

from pathlib import Path

import pytest

from feedback.bus.protocol import Bus
from feedback.outbox.config import OutboxConfig
from feedback.outbox.leftover import LeftSpools, left_names
from feedback.outbox.spool import Spool
from tests.feedback.factory import exchange
from tests.feedback.outbox.conftest import Make, bus_at, nowhere, read
from tests.waiting import eventually


@pytest.mark.parametrize(
    ("workers", "left"), [(1, ["gateway-80-2", "gateway-80-10"]), (2, ["gateway-80-10"]), (10, [])]
)
def test_those_are_left_whose_number_is_above_that_of_the_workers(
    tmp_path: Path, workers: int, left: list[str]
) -> None:
    for name in ("gateway-80", "gateway-80-2", "gateway-80-10", "gateway-8000-2", "gateway-80-old", "worker-1"):
        (tmp_path / f"{name}.db").touch()
        (tmp_path / f"{name}.lock").touch()
    assert left_names(tmp_path, "gateway-80", workers) == left
    assert left_names(tmp_path / "no folder", "gateway-80", workers) == []


def test_their_events_go_to_the_bus_once_it_is_known_and_then_nobody_holds_them(
    make: Make, redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("feedback.outbox.leftover.HELD_SECONDS", 1.0)  # for g-3, which is held all the time
    for name in ("g-2", "g-3"):
        outbox = make(nowhere(), name=name)
        outbox.put_durable(exchange(2 if name == "g-2" else 3))
        if name == "g-2":
            outbox.close(60.0)
    (tmp_path / "g-4.db").write_bytes(b"no spool")
    buses: list[Bus | None] = [None]
    left = LeftSpools(tmp_path, ["g-3", "g-4", "g-2"], lambda: buses[-1], OutboxConfig(keep_seconds=0))
    left.start()
    assert read(redis_url) == []
    buses.append(bus_at(redis_url))
    eventually(lambda: len(read(redis_url)) == 1)  # that of g-3 is another's to publish

    def free() -> Spool:
        return Spool(tmp_path / "g-2.db", 1 << 20)

    eventually(lambda: free().close() is None)
    spool = free()
    assert (spool.places() != [], spool.bytes) == (True, 0)
    spool.close()
    left.close(5)
