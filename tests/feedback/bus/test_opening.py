"""The URL says which bus it is."""

from __future__ import annotations

import pytest

from feedback.bus.config import BusConfig
from feedback.bus.kafka import KafkaBus
from feedback.bus.opening import open_bus
from feedback.bus.redis import RedisBus
from feedback.store.config import RedisConfig
from understudy.errors import ConfigError


def test_a_bus_needs_a_url_of_its_own_or_of_redis() -> None:
    with pytest.raises(ConfigError, match=r"set `bus.url` or `redis.url`"):
        open_bus(BusConfig(), RedisConfig())


@pytest.mark.parametrize(
    ("bus", "redis", "kind"),
    [
        ("redis://h:1/0", "", RedisBus),
        ("", "rediss://h:1/0", RedisBus),
        ("kafka://a:1,b:2", "redis://h:1/0", KafkaBus),
    ],
)
def test_the_url_of_the_bus_goes_before_that_of_redis(bus: str, redis: str, kind: type) -> None:
    opened = open_bus(BusConfig(url=bus, partitions=3), RedisConfig(url=redis))
    assert type(opened) is kind
    assert opened.partitions == 3
    opened.close()
