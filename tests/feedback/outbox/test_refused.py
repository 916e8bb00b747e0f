"""What a real Kafka refuses for its size becomes a dead letter, whole, and holds up nothing behind it."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
import redis
from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient, NewTopic

from feedback.bus.config import BusConfig
from feedback.bus.opening import open_bus
from feedback.events import EXCHANGES, Exchange
from feedback.letters import value_of
from feedback.outbox.outbox import Outbox
from feedback.store.config import RedisConfig
from tests.feedback.child import make_consumer
from tests.feedback.factory import exchange
from tests.feedback.outbox.conftest import Make
from tests.waiting import eventually

pytestmark = pytest.mark.kafka
DEAD = f"{EXCHANGES}.dlt"
BEHIND = 40


@pytest.fixture
def narrow(kafka_servers: str) -> Iterator[str]:
    """A Kafka that takes 60,000 bytes of an exchange, and 30,000 of a dead letter."""
    admin = KafkaAdminClient(bootstrap_servers=kafka_servers.split(","))
    limits = {EXCHANGES: "60000", DEAD: "30000"}
    for topic, limit in limits.items():
        if topic not in admin.list_topics():
            admin.create_topics([NewTopic(topic, 2, 1)])
        admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, {"max.message.bytes": limit})])
    yield f"kafka://{kafka_servers}"
    for topic in limits:
        admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, {"max.message.bytes": "1048588"})])
    admin.close()


def events_of(url: str, topic: str) -> list[bytes]:
    bus = open_bus(BusConfig(url=url), RedisConfig())
    found: list[bytes] = []
    for part in range(2):
        after = ""
        while bus.lag(topic, part, after):
            for event in bus.read(topic, part, after, 99):
                after = event.position
                found.append(event.value)
    bus.close()
    return found


def gone(outbox: Outbox, stored: int) -> bool:
    """Whether all that was put has left, and one of it as a dead letter."""
    stats = outbox.stats()
    return (stats["stored"], stats["pending"], stats["dead"]) == (stored, 0, 1)


def test_an_event_that_is_too_large_for_kafka_holds_nothing_up(narrow: str, make: Make) -> None:
    outbox = make(narrow, keep_seconds=0.1)
    large = exchange(0, session="s", reply="长" * 40_000)
    outbox.put(exchange(1, session="s"))
    outbox.put(large)
    for n in range(2, BEHIND):
        outbox.put(exchange(n, session=f"s{n % 5}"))
    eventually(lambda: gone(outbox, BEHIND), 60)
    eventually(lambda: outbox.stats()["spool_bytes"] == 0, what="leaving the spool")
    here = [value for value in events_of(narrow, EXCHANGES) if value]
    ids = {outbox.vault.open(Exchange, value).response_id for value in here}
    assert {f"resp-{n}" for n in range(1, BEHIND)} <= ids
    letters = [json.loads(value) for value in events_of(narrow, DEAD)]
    letters = [letter for letter in letters if letter["spool"] == outbox._spool.id]
    assert len(letters) == letters[0]["parts"] > 4
    assert outbox.vault.open(Exchange, value_of(letters)) == large
    assert letters[0]["session"] == "s"


def test_the_number_of_a_dead_letter_is_no_gap(narrow: str, make: Make, redis_url: str) -> None:
    outbox = make(narrow)
    outbox.put(exchange(0, session="s", reply="长" * 40_000))
    outbox.put(exchange(1, session="s"))
    eventually(lambda: gone(outbox, 2), 60)
    consumer = make_consumer(redis_url, narrow, (EXCHANGES,), lambda topic, event: [["HINCRBY", "seen", "n", 1]])
    client = redis.Redis.from_url(redis_url)
    eventually(lambda: consumer.step() >= 0 and int(client.hget("seen", "n") or 0) >= 2)
    assert client.hget("us:kpi:counters", "bus.lost") is None
