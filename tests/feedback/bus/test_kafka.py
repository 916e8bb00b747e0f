"""What Kafka adds to the contract."""

from __future__ import annotations

import pytest

from feedback.bus.config import BusConfig
from feedback.bus.opening import open_bus
from feedback.bus.protocol import Numbered
from feedback.events import EXCHANGES
from feedback.store.config import RedisConfig
from understudy.errors import Unavailable


def events(first: int, last: int) -> list[Numbered]:
    return [Numbered(n, "会话", f"事件 {n}".encode()) for n in range(first, last + 1)]


def test_a_kafka_that_is_away_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("feedback.bus.kafka_cluster.CONNECT_MS", 500)
    bus = open_bus(BusConfig(url="kafka://127.0.0.1:1"), RedisConfig())
    with pytest.raises(Unavailable, match="Kafka"):
        bus.publish(EXCHANGES, 0, "s", events(1, 1))
