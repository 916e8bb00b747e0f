"""One Kafka broker for the test session."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.shared_data import kafka_home
from trials.broker import Broker


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
