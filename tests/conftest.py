"""Fixtures for every package: a real Redis and a state directory."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from hypothesis import settings

from feedback.store.server import RedisServer
from understudy.state import StateDir

pytest_plugins = ["tests.waiting", "tests.engines", "tests.kafka", "tests.leftovers", "tests.loop.turn"]

EXAMPLES = 100 if os.environ.get("UNDERSTUDY_FULL") == "1" else 40
"""Of each property that does not say how many it wants."""
settings.register_profile("no deadline", deadline=None, max_examples=EXAMPLES)  # a busy machine is no counterexample
settings.load_profile("no deadline")


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """One server for all tests, nothing on disk."""
    server = RedisServer(tmp_path_factory.mktemp("redis"), durable=False)
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session", autouse=True)
def patient_with_redis() -> Iterator[None]:
    """No call of a busy machine is taken for a server that is away; one that is away refuses at once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("deploy.routing.quick_redis.TIMEOUT", 20.0)
        yield


@pytest.fixture
def redis_url(redis_server: RedisServer) -> str:
    """URL of an empty Redis: it is flushed before each test that asks for it."""
    redis_server.start()
    client = redis.Redis.from_url(redis_server.url)
    client.flushall()
    client.close()
    return redis_server.url


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[RedisServer]:
    """A durable server of one test's own, which it may stop, kill and start again."""
    server = RedisServer(tmp_path / "redis")
    server.start()
    yield server
    server.stop()


@pytest.fixture
def state_dir(tmp_path: Path) -> StateDir:
    """An empty state directory."""
    root = tmp_path / "state"
    root.mkdir()
    return StateDir(root)
