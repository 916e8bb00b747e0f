"""What in the settings of a bus loses or stops events, asked of the bus; for `doctor` and for a worker's start."""

from __future__ import annotations

from typing import Any

from feedback.bus.config import BusConfig
from feedback.events import DEAD_LETTER, TOPICS
from feedback.store.config import RedisConfig
from feedback.store.connection import connect, redis_errors
from understudy.config import without_password
from understudy.errors import Unavailable


def bus_findings(config: BusConfig, redis: RedisConfig, event_bytes: int) -> list[str]:
    """Sentences that say what is wrong and what to set; none where the bus keeps what it takes.

    Raises:
        ConfigError: a password is missing.
    """
    url = config.url or redis.url
    try:
        if url.startswith("kafka://"):
            return _of_kafka(url, config, event_bytes)
        return _of_redis(url) if url else []
    except Unavailable as error:
        return [f"the bus cannot be asked: {error.message}"]


def _of_kafka(url: str, config: BusConfig, event_bytes: int) -> list[str]:
    from feedback.bus.kafka_cluster import KafkaTopics, connection, kafka_errors, servers_of

    servers = servers_of(url.removeprefix("kafka://"))
    topics = KafkaTopics(servers, config.partitions, connection(config.kafka))
    try:
        with kafka_errors(servers):
            found = topics.findings([*TOPICS], event_bytes)
            return found + topics.findings([topic + DEAD_LETTER for topic in TOPICS], 0)
    finally:
        topics.close()


def _of_redis(url: str) -> list[str]:
    client = connect(url)
    try:
        with redis_errors():
            has = {name: _setting(client, name) for name in ("appendonly", "maxmemory-policy")}
    except Unavailable as error:
        if "unknown command" in error.message or "NOPERM" in error.message:
            return []  # a server of somebody else's that does not tell
        raise
    finally:
        client.close()
    name, found = without_password(url), []
    if has["appendonly"] == "no":
        found.append(f"Redis at {name} keeps nothing on its disk: set appendonly yes, or it forgets all in a restart")
    if has["maxmemory-policy"] not in ("noeviction", ""):
        found.append(f"Redis at {name} may drop our keys when memory is short: set maxmemory-policy noeviction")
    return found


def _setting(client: Any, name: str) -> str:
    return str(client.config_get(name).get(name, ""))
