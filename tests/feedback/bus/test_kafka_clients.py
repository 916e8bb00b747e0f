"""A client of Kafka that cannot be made leaves no thread behind; `test_kafka_real.py` drops one with what it holds."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import pytest
from kafka import KafkaConsumer
from kafka.admin import KafkaAdminClient
from kafka.errors import KafkaTimeoutError

from feedback.bus.kafka_clients import made
from tests.leftovers import client_threads


@pytest.fixture
def deaf() -> Iterator[str]:
    """An address that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


@pytest.mark.parametrize("kind", [KafkaAdminClient, KafkaConsumer])
def test_a_client_that_cannot_be_made_leaves_no_thread(kind: Any, deaf: str) -> None:
    before = client_threads()
    for address in (deaf, "127.0.0.1:1"):
        with pytest.raises(KafkaTimeoutError):
            made(kind, bootstrap_servers=[address], bootstrap_timeout_ms=100)
    assert client_threads() <= before
