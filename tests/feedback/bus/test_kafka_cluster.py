"""What a Kafka's settings allow and endanger, asked of a real one; TLS and SASL as its client wants them."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest
from kafka.admin import KafkaAdminClient, NewTopic

from feedback.bus.config import KafkaConfig
from feedback.bus.kafka_cluster import KafkaTopics, connection
from feedback.events import EXCHANGES
from tests.waiting import eventually
from understudy.errors import ConfigError
from understudy.ids import random_id

EVENT = 1 << 20


def test_what_is_not_asked_for_is_not_given() -> None:
    assert connection(KafkaConfig()) == {"security_protocol": "PLAINTEXT"}


def test_tls_and_sasl_are_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_PASSWORD", "geheim")
    given = connection(
        KafkaConfig(security="sasl_ssl", user="me", password_env="MY_PASSWORD", ca_file=Path("/etc/ca.pem"))
    )
    assert given == {
        "security_protocol": "SASL_SSL", "ssl_cafile": "/etc/ca.pem", "ssl_check_hostname": True,
        "sasl_mechanism": "SCRAM-SHA-512", "sasl_plain_username": "me", "sasl_plain_password": "geheim",
    }  # fmt: skip


def test_a_password_that_is_not_there_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("UNDERSTUDY_KAFKA_PASSWORD", raising=False)
    with pytest.raises(ConfigError, match="UNDERSTUDY_KAFKA_PASSWORD"):
        connection(KafkaConfig(security="sasl_plaintext", user="me"))


@pytest.mark.kafka
def test_settings_that_lose_events_are_named(kafka_servers: str) -> None:
    admin = KafkaAdminClient(bootstrap_servers=kafka_servers.split(","))
    bad, good = (f"{EXCHANGES}.{random_id()[:8]}" for _ in range(2))
    configs = {"cleanup.policy": "compact", "retention.ms": "1000", "max.message.bytes": "20000"}
    admin.create_topics([NewTopic(bad, 1, 1, topic_configs=configs), NewTopic(good, 1, 1)])
    admin.close()
    topics = KafkaTopics(kafka_servers.split(","), 1, connection(KafkaConfig()))
    told = topics.findings([bad, good, "never-made"], EVENT - 4096)
    topics.close()
    assert len(told) == 3
    for setting in ("cleanup.policy", "retention.ms", "max.message.bytes"):
        assert sum(setting in line and bad in line for line in told) == 1


@pytest.mark.kafka
def test_a_topic_with_fewer_partitions_gets_more(kafka_servers: str) -> None:
    servers, topic = kafka_servers.split(","), f"{EXCHANGES}.{random_id()[:8]}"
    few, more = (KafkaTopics(servers, n, connection(KafkaConfig())) for n in (1, 3))
    with closing(few), closing(more):  # a busy one may be late; whoever asks asks again
        eventually(lambda: few.ensure(topic) == 1_048_588, what="a topic with its limit")
        assert few.width(topic) == 1
        eventually(lambda: more.ensure(topic) and more.width(topic) == 3, what="more partitions")
        eventually(lambda: len(more.epochs([topic])) == 3, what="an epoch of each")
