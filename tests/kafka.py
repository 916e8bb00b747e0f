"""One Kafka broker for the test session."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.shared_data import kafka_home
from trials.broker import Broker


@pytest.fixture(autouse=True)
def _patient_with_kafka(request: pytest.FixtureRequest) -> None:
    """A busy machine is no Kafka that is away."""
    if request.node.get_closest_marker("kafka") is None:
        return
    patch: pytest.MonkeyPatch = request.getfixturevalue("monkeypatch")
    for module in ("kafka", "kafka_cluster", "kafka_tail"):
        patch.setattr(f"feedback.bus.{module}.CONNECT_MS", 30_000)
    patch.setattr("feedback.bus.kafka.ACKNOWLEDGE_SECONDS", 60.0)


@pytest.fixture(scope="session")
def kafka_servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """`host:port[,host:port]` of a real broker."""
    if given := os.environ.get("KAFKA_BOOTSTRAP_SERVERS"):
        yield given
        return
    broker = Broker(kafka_home(), tmp_path_factory.mktemp("kafka"))
    broker.format()
    broker.start()
    yield f"127.0.0.1:{broker.port}"
    broker.stop()
