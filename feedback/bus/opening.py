"""Opens the bus that the configuration names. Only the client library that it needs is loaded."""

from __future__ import annotations

from feedback.bus.config import BusConfig
from feedback.bus.protocol import Bus
from feedback.store.config import RedisConfig
from understudy.errors import ConfigError


def open_bus(config: BusConfig, redis: RedisConfig) -> Bus:
    """The bus that the configuration names; it connects on first use.

    Raises:
        ConfigError: no URL is given, of the bus or of Redis.
    """
    url = config.url or redis.url
    if url.startswith("kafka://"):
        from feedback.bus.kafka import KafkaBus

        return KafkaBus(url.removeprefix("kafka://"), config.partitions, config.kafka)
    if not url:
        raise ConfigError("no bus is named: set `bus.url` or `redis.url`", param="bus.url")
    from feedback.bus.redis import RedisBus

    return RedisBus(url, redis.prefix, config.partitions, config.max_stream_bytes, config.replicas)
