"""A purge where the bus is a real Kafka, which deletes nothing on demand: its segments hold what nobody can read."""

from __future__ import annotations

from pathlib import Path

import pytest

from deploy.control.asked.purging import purge_tenant
from feedback.bus.config import BusConfig
from feedback.bus.opening import open_bus
from feedback.bus.protocol import Bus, Numbered
from feedback.events import EXCHANGES
from feedback.letters import letters
from feedback.outbox.config import OutboxConfig
from feedback.outbox.outbox import Outbox
from feedback.privacy.vault import Purged, Vault
from feedback.store.config import RedisConfig
from feedback.store.server import RedisServer
from serving.control.sources import Sources
from tests.deploy.control.asked.test_purging import PLANTED, fill, on_disk, planted
from tests.deploy.fleet import World
from tests.feedback.factory import exchange
from tests.shared_data import kafka_home
from tests.waiting import eventually
from trials.broker import Broker
from understudy.config import Config

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(300)]
PARTITIONS = 2


def kept(bus: Bus, topic: str, count: int) -> list[bytes]:
    """The values of a topic as its segments hold them, less compression."""
    found: list[bytes] = []
    after = [""] * PARTITIONS

    def all_read() -> bool:
        for partition in range(PARTITIONS):
            for event in bus.read(topic, partition, after[partition], 500):
                found.append(event.value)
                after[partition] = event.position
        return len(found) >= count

    eventually(all_read, 60, "reading what Kafka holds")
    return found


def told(vault: Vault, values: list[bytes]) -> int:
    """Of how many the text comes to light."""
    count = 0
    for value in values:
        try:
            count += "messages" in vault.fields(value)
        except Purged:
            continue
    return count


def test_nothing_of_a_hundred_sentences_is_left_in_kafkas_segments(
    world: World, own_redis: RedisServer, tmp_path: Path
) -> None:
    broker = Broker(kafka_home(), tmp_path / "kafka")
    broker.format()
    broker.start()
    try:
        bus = open_bus(BusConfig(url=f"kafka://127.0.0.1:{broker.port}", partitions=PARTITIONS), RedisConfig())
        outbox = Outbox(world.state.spool, "gateway", bus, OutboxConfig())
        outbox.start()
        sentences = planted()
        fill(world, outbox, own_redis.url, sentences)
        outbox.put(exchange(900, tenant="other", at=100.0))
        values = kept(bus, EXCHANGES, PLANTED + 1)
        assert told(outbox.vault, values) == PLANTED + 1
        buried = [message for value in values for message in letters(EXCHANGES, "s", value, "it failed", spool="w")]
        bus.publish(f"{EXCHANGES}.dlt", 0, "w", [Numbered(n, "s", one) for n, one in enumerate(buried, 1)])
        sources = Sources(Config({"redis": {"url": own_redis.url}}), RedisConfig(url=own_redis.url))
        purge_tenant(
            world.conductor.deployment, world.conductor.acts, "acme", 200.0, lambda: sources.purge("acme", 200.0)
        )
        left = kept(bus, EXCHANGES, PLANTED + 1)
        assert told(outbox.vault, left) == 1
        raw = b"\n".join(left + kept(bus, f"{EXCHANGES}.dlt", len(buried)))
        assert not [text for text in sentences if text[:20].encode() in raw or text[-20:].encode() in raw]
        outbox.close()
        bus.close()
    finally:
        broker.stop()
    segments = [path for path in (tmp_path / "kafka").rglob("*.log") if path.stat().st_size and EXCHANGES in str(path)]
    assert sum(path.stat().st_size for path in segments) > PLANTED * 100
    assert on_disk(tmp_path, sentences) == []
