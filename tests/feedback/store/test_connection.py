"""How Redis is shown, and what its absence is called."""

from __future__ import annotations

import pytest

from feedback.store.connection import connect, find_redis, redis_errors
from feedback.store.server import RedisServer
from understudy.config import Config
from understudy.errors import Unavailable
from understudy.state import StateDir


@pytest.mark.parametrize(
    ("configured", "addresses", "found"),
    [
        ("redis://a:1/0", '{"redis": "redis://b:2/0"}', "redis://a:1/0"),
        ("", '{"redis": "redis://b:2/0"}', "redis://b:2/0"),
        ("", '{"redis": null}', ""),
        ("", "half writ", ""),
        ("", "[]", ""),
        ("", None, ""),
    ],
)
def test_redis_is_that_of_the_configuration_else_of_the_running_system(
    state_dir: StateDir, configured: str, addresses: str | None, found: str
) -> None:
    if addresses is not None:
        state_dir.run.mkdir()
        state_dir.addresses.write_text(addresses)
    assert find_redis(Config({"redis": {"url": configured}}), state_dir).url == found


def test_a_server_that_is_away_and_one_that_is_full_are_unavailable(own_redis: RedisServer) -> None:
    client = connect(own_redis.url)
    client.config_set("maxmemory", 1)
    with pytest.raises(Unavailable, match="refuses"), redis_errors():
        client.set("a", "b")
    own_redis.stop()
    with pytest.raises(Unavailable, match="away"), redis_errors():
        client.get("a")
    own_redis.start()
    with redis_errors():
        assert client.get("a") is None


def test_other_errors_stay_what_they_are() -> None:
    with pytest.raises(KeyError), redis_errors():
        raise KeyError("a")
