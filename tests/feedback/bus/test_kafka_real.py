"""A Kafka of one's own: with TLS and SASL, with a log that is really cut, and three nodes of which one is killed."""

from __future__ import annotations

import datetime
import ipaddress
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from kafka.admin import KafkaAdminClient, NewTopic

from feedback.bus.config import BusConfig, KafkaConfig
from feedback.bus.kafka import KafkaBus
from feedback.bus.opening import open_bus
from feedback.bus.protocol import Bus, Numbered, partition_of
from feedback.events import EXCHANGES, KPIS
from feedback.outbox.config import OutboxConfig
from feedback.outbox.outbox import Outbox
from feedback.store.config import RedisConfig
from feedback.store.keys import RedisKeys
from tests.feedback.child import event, make_consumer
from tests.leftovers import client_threads
from tests.shared_data import kafka_home
from tests.waiting import eventually, hold
from trials.broker import Broker
from trials.system import free_ports
from understudy.errors import Unavailable
from understudy.ids import random_id

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(300)]
FULL = os.environ.get("UNDERSTUDY_FULL") == "1"
PLACE = (EXCHANGES, 0)


def events(first: int, last: int) -> list[Numbered]:
    return [Numbered(n, "会话", f"事件 {n}".encode()) for n in range(first, last + 1)]


def certificate(folder: Path) -> tuple[Path, Path]:
    """A self-signed certificate of 127.0.0.1: it alone (for who trusts it), and with its key (for who shows it)."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(1).not_valid_before(now - datetime.timedelta(1)).not_valid_after(now + datetime.timedelta(1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    shown = made.public_bytes(serialization.Encoding.PEM)
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "ca.pem").write_bytes(shown)
    (folder / "server.pem").write_bytes(secret + shown)
    return folder / "ca.pem", folder / "server.pem"


def test_kafka_behind_tls_and_a_password(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ca, server = certificate(tmp_path)
    inner, outer, controller = free_ports(3)
    module = "org.apache.kafka.common.security.plain.PlainLoginModule"
    broker = Broker(kafka_home(), tmp_path / "kafka", {
        "listeners": f"PLAINTEXT://127.0.0.1:{inner},OUTER://127.0.0.1:{outer},CONTROLLER://127.0.0.1:{controller}",
        "advertised.listeners": f"PLAINTEXT://127.0.0.1:{inner},OUTER://127.0.0.1:{outer}",
        "controller.quorum.voters": f"1@127.0.0.1:{controller}",
        "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,OUTER:SASL_SSL",
        "listener.name.outer.sasl.enabled.mechanisms": "PLAIN",
        "listener.name.outer.plain.sasl.jaas.config": f'{module} required user_gateway="geheim";',
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": str(server),
    })  # fmt: skip
    broker.port = inner
    broker.format()
    broker.start()
    config = KafkaConfig(security="sasl_ssl", mechanism="PLAIN", user="gateway", ca_file=ca)
    try:
        monkeypatch.setenv("UNDERSTUDY_KAFKA_PASSWORD", "geheim")
        bus = open_bus(BusConfig(url=f"kafka://127.0.0.1:{outer}", kafka=config), RedisConfig())
        assert bus.publish(*PLACE, "spool", events(1, 3)).highest == 3
        assert read(bus, 3) == [1, 2, 3]
        bus.close()
        monkeypatch.setenv("UNDERSTUDY_KAFKA_PASSWORD", "wrong")
        for module in ("kafka", "kafka_cluster", "kafka_tail"):  # no patience with who is refused however long it waits
            monkeypatch.setattr(f"feedback.bus.{module}.CONNECT_MS", 2_000)
        refused = open_bus(BusConfig(url=f"kafka://127.0.0.1:{outer}", kafka=config), RedisConfig())
        with pytest.raises(Unavailable, match="Kafka"):
            refused.publish(*PLACE, "spool", events(4, 4))
        refused.close()
    finally:
        broker.stop()


def read(bus: Bus, count: int) -> list[int]:
    """The numbers of the first `count` events that the partition holds."""
    got: list[int] = []
    after = ""
    end = time.monotonic() + 60
    while len(got) < count and time.monotonic() < end:
        for one in bus.read(*PLACE, after, 99):
            got.append(one.number)
            after = one.position
    return got


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A node whose logs tests cut."""
    made = Broker(kafka_home(), tmp_path_factory.mktemp("kafka"))
    made.format()
    made.start()
    yield made
    made.stop()


def log_of(broker: Broker, topic: str, part: int) -> Path:
    return broker.config.parent / "data" / f"{topic}-{part}" / "00000000000000000000.log"


def cut(broker: Broker, log: Path, size: int) -> None:
    """Kill the node, leave only the first `size` bytes of a partition's log, and start it again."""
    broker.kill()
    os.truncate(log, size)
    broker.start()


def test_a_log_that_was_cut_is_asked_anew(broker: Broker) -> None:
    bus = open_bus(BusConfig(url=f"kafka://127.0.0.1:{broker.port}", partitions=1), RedisConfig())
    bus.publish(*PLACE, "spool", events(1, 5))
    log = log_of(broker, *PLACE)
    before = log.stat().st_size
    bus.publish(*PLACE, "spool", events(6, 9))
    eventually(lambda: bus.held("spool", [PLACE])[PLACE].highest == 9, 60, "reading the end of the log")
    cut(broker, log, before)
    eventually(lambda: bus.held("spool", [PLACE])[PLACE].highest == 5, 60, "noticing that the log was cut")
    eventually(lambda: bus.publish(*PLACE, "spool", events(6, 9)).highest == 9, 60, "taking them again")
    assert read(bus, 9) == list(range(1, 10))
    bus.close()


def test_what_is_gone_for_good_is_counted_by_gateway_and_worker(broker: Broker, redis_url: str, tmp_path: Path) -> None:
    url, lost = f"kafka://127.0.0.1:{broker.port}", 20
    bus = open_bus(BusConfig(url=url), RedisConfig())
    outbox = Outbox(tmp_path, "gateway", bus, OutboxConfig(keep_seconds=0.0))
    outbox.start()
    log = log_of(broker, KPIS, partition_of(event(0).session, 2))

    def said(numbers: range) -> None:
        for n in numbers:
            outbox.put_durable(event(11 * n))  # of one session
        eventually(lambda: outbox.stats()["spool_bytes"] == 0, 60, "leaving the spool")

    said(range(3))
    before = log.stat().st_size
    said(range(3, 3 + lost))
    cut(broker, log, before)
    eventually(lambda: outbox.stats()["lost"] == lost, 60, "counting in a quiet partition")
    outbox.put_durable(event(11 * (3 + lost)))
    consumer, client = make_consumer(redis_url, url), redis.Redis.from_url(redis_url)
    eventually(lambda: consumer.step() >= 0 and client.hlen("seen") == 4, 60)
    assert client.hget(RedisKeys().counters, "bus.lost") == str(lost).encode()
    assert outbox.stats()["lost"] == lost
    outbox.close(0.2)
    outbox._producer._thread.join(60)
    bus.close()


def test_a_writer_that_is_dropped_with_what_nobody_acknowledged_ends(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, topic = client_threads(), f"{EXCHANGES}.{random_id()[:8]}"
    bus = KafkaBus(f"127.0.0.1:{broker.port}", 1)
    eventually(lambda: bus.publish(topic, 0, "s", events(1, 1)).highest == 1, what="the first event")
    monkeypatch.setattr("feedback.bus.kafka.ACKNOWLEDGE_SECONDS", 0.2)
    assert broker.process is not None
    hold(broker.process.pid)
    try:
        with pytest.raises(Unavailable, match="Kafka"):
            bus.publish(topic, 0, "s", events(2, 2))
    finally:
        broker.signal(signal.SIGCONT)
        bus.close()
    eventually(lambda: client_threads() <= before, what="the end of all threads")


@pytest.mark.skipif(not FULL, reason="three brokers: with UNDERSTUDY_FULL=1")
def test_three_nodes_of_which_the_leader_is_killed_lose_nothing(tmp_path: Path) -> None:
    ports = free_ports(6)
    voters = ",".join(f"{node}@127.0.0.1:{ports[node + 2]}" for node in (1, 2, 3))
    nodes = []
    for node in (1, 2, 3):
        broker = Broker(kafka_home(), tmp_path / f"kafka-{node}", {
            "node.id": str(node),
            "listeners": f"PLAINTEXT://127.0.0.1:{ports[node - 1]},CONTROLLER://127.0.0.1:{ports[node + 2]}",
            "advertised.listeners": f"PLAINTEXT://127.0.0.1:{ports[node - 1]}",
            "controller.quorum.voters": voters, "default.replication.factor": "3", "min.insync.replicas": "2",
        })  # fmt: skip
        broker.port = ports[node - 1]
        broker.format()
        nodes.append(broker)
    for broker in nodes:
        broker.start(wait=False)
    try:
        for broker in nodes:
            broker.wait_open()
        servers = [f"127.0.0.1:{port}" for port in ports[:3]]
        admin = KafkaAdminClient(bootstrap_servers=servers)
        topic = f"{EXCHANGES}.{random_id()[:8]}"
        admin.create_topics([NewTopic(topic, 2, 3)])
        bus = open_bus(BusConfig(url=f"kafka://{','.join(servers)}"), RedisConfig())
        for first in range(1, 3000, 100):
            if first == 1001:
                (told,) = admin.describe_topics([topic])
                (leader,) = (one["leader_id"] for one in told["partitions"] if one["partition_index"] == 0)
                nodes[leader - 1].kill()
            batch = events(first, first + 99)
            eventually(lambda batch=batch: bus.publish(topic, 0, "spool", batch).highest == batch[-1].number, 60)  # type: ignore[misc]
        assert numbers(bus, topic, 3000) == set(range(1, 3001))
        bus.close()
        admin.close()
    finally:
        for broker in nodes:
            broker.stop()


def numbers(bus: Bus, topic: str, count: int) -> set[int]:
    """Numbers that the partition holds, when there are `count` different ones."""
    got: set[int] = set()
    after, end = "", time.monotonic() + 60
    while len(got) < count and time.monotonic() < end:
        for one in bus.read(topic, 0, after, 999):
            got.add(one.number)
            after = one.position
    return got
