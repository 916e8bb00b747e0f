"""What of a bus's settings is told before it loses anything."""

from __future__ import annotations

import pytest
import redis

from feedback.bus.config import BusConfig
from feedback.bus.health import bus_findings
from feedback.store.config import RedisConfig
from feedback.store.server import RedisServer, free_port

EVENT = 1 << 20


def test_the_embedded_redis_keeps_what_it_takes(own_redis: RedisServer) -> None:
    assert bus_findings(BusConfig(), RedisConfig(url=own_redis.url), EVENT) == []
    assert bus_findings(BusConfig(), RedisConfig(), EVENT) == []


def test_a_redis_that_forgets_is_named(own_redis: RedisServer) -> None:
    client = redis.Redis.from_url(own_redis.url)
    client.config_set("appendonly", "no")
    client.config_set("maxmemory-policy", "allkeys-lru")
    told = bus_findings(BusConfig(), RedisConfig(url=own_redis.url), EVENT)
    assert [("appendonly" in line, "noeviction" in line) for line in told] == [(True, False), (False, True)]


def test_a_bus_that_is_away_is_said_to_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("feedback.bus.kafka_cluster.CONNECT_MS", 500)
    for url in (f"redis://127.0.0.1:{free_port()}/0", f"kafka://127.0.0.1:{free_port()}"):
        (line,) = bus_findings(BusConfig(url=url), RedisConfig(), EVENT)
        assert "cannot be asked" in line


@pytest.mark.kafka
def test_kafka_is_told_of_large_events(kafka_servers: str) -> None:
    from feedback.bus.kafka_cluster import KafkaTopics
    from feedback.events import EXCHANGES

    topics = KafkaTopics(kafka_servers.split(","), 2, {})
    topics.ensure(EXCHANGES)
    topics.close()
    config = BusConfig(url=f"kafka://{kafka_servers}")
    assert any("max.message.bytes=2097664" in line for line in bus_findings(config, RedisConfig(), 2 << 20))
