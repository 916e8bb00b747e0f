"""How a Kafka is reached, its topics made, and what its settings allow and endanger."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient, NewTopic
from kafka.errors import KafkaError, TopicAlreadyExistsError

from feedback.bus.config import KafkaConfig
from feedback.bus.kafka_clients import made
from understudy.errors import ConfigError, Unavailable

CONNECT_MS = 5_000
LARGEST = 64 << 20
"""Bytes of a message at most, whatever a topic allows: a broker reads requests of 100 MiB."""
T = TypeVar("T")
RECORD = 512
"""Bytes of a record batch beside key and value, with our headers."""


def servers_of(text: str) -> list[str]:
    """`host:port[,host:port]` as a list."""
    return [server.strip() for server in text.strip("/").split(",") if server.strip()]


def connection(config: KafkaConfig) -> dict[str, Any]:
    """What kafka-python wants to know of TLS and SASL.

    Raises:
        ConfigError: a password is missing from the environment.
    """
    given: dict[str, Any] = {"security_protocol": config.security.upper()}
    if config.security in ("ssl", "sasl_ssl"):
        files = {"ssl_cafile": config.ca_file, "ssl_certfile": config.cert_file, "ssl_keyfile": config.key_file}
        given |= {name: str(path) for name, path in files.items() if path is not None}
        given["ssl_check_hostname"] = config.check_hostname
    if config.security in ("sasl_plaintext", "sasl_ssl"):
        password = os.environ.get(config.password_env, "")
        if not (config.user and password):
            raise ConfigError(
                f"`bus.kafka.security` is {config.security}: give `bus.kafka.user`, and the password in the "
                f"environment variable {config.password_env}, which `bus.kafka.password_env` names"
            )
        given["sasl_mechanism"] = config.mechanism
        given |= {"sasl_plain_username": config.user, "sasl_plain_password": password}
    return given


@contextlib.contextmanager
def kafka_errors(servers: list[str]) -> Iterator[None]:
    """Turn what the client raises into `Unavailable`."""
    try:
        yield
    except (KafkaError, OSError, TimeoutError) as error:
        raise Unavailable(f"Kafka at {','.join(servers)} is away: {error!r}") from error


class KafkaTopics:
    """The topics of a cluster, each asked about once, on first use. Used by two threads; asking twice does no harm."""

    def __init__(self, servers: list[str], partitions: int, access: dict[str, Any]) -> None:
        self._servers = servers
        self._partitions = partitions
        self._access = access
        self._limits: dict[str, int] = {}
        self._mutex = threading.Lock()
        self._admin: KafkaAdminClient | None = None

    def ensure(self, topic: str) -> int:
        """Make the topic unless it is there, with our partitions at least; bytes of a message that it takes."""
        if topic not in self._limits:
            self._limits[topic] = self._ask(lambda admin: self._ensured(admin, topic))
        return self._limits[topic]

    def forget(self, topic: str) -> None:
        """Ask again at the next use: its settings have changed."""
        self._limits.pop(topic, None)

    def width(self, topic: str) -> int:
        """Partitions of the topic; 0 where there is none."""
        return self._ask(lambda admin: _width(admin, topic))

    def epochs(self, topics: list[str]) -> dict[tuple[str, int], str]:
        """Of each partition of `topics`, leader and epoch, which change when the log may have gone back."""
        described = self._ask(lambda admin: admin.describe_topics(topics))
        return {
            (topic["name"], part["partition_index"]): f"{part['leader_id']}:{part.get('leader_epoch', -1)}"
            for topic in described
            for part in topic["partitions"]
            if part["leader_id"] >= 0
        }

    def findings(self, topics: list[str], event_bytes: int) -> list[str]:
        """What in the settings of `topics` loses or stops events, and what to set."""
        return self._ask(lambda admin: [text for topic in topics for text in _findings(admin, topic, event_bytes)])

    def _ensured(self, admin: KafkaAdminClient, topic: str) -> int:
        with contextlib.suppress(TopicAlreadyExistsError):
            admin.create_topics([NewTopic(topic, self._partitions, -1)], timeout_ms=CONNECT_MS)
        if 0 < _width(admin, topic) < self._partitions:
            admin.create_partitions({topic: self._partitions}, timeout_ms=CONNECT_MS)
        return min(LARGEST, int(_settings(admin, topic).get("max.message.bytes", "1048588")))

    def close(self) -> None:
        """Let go of the connection."""
        with self._mutex:
            self._drop()

    def _ask(self, question: Callable[[KafkaAdminClient], T]) -> T:
        with self._mutex:
            try:
                if self._admin is None:
                    self._admin = made(
                        KafkaAdminClient, bootstrap_servers=self._servers, bootstrap_timeout_ms=CONNECT_MS,
                        request_timeout_ms=CONNECT_MS, **self._access,
                    )  # fmt: skip
                return question(self._admin)
            except BaseException:
                self._drop()
                raise

    def _drop(self) -> None:
        admin, self._admin = self._admin, None
        if admin is not None:
            with contextlib.suppress(KafkaError, OSError, TimeoutError):
                admin.close()


def _width(admin: KafkaAdminClient, topic: str) -> int:
    found = admin.describe_topics([topic])
    return len(found[0]["partitions"]) if found and not found[0].get("error_code") else 0


def _settings(admin: KafkaAdminClient, topic: str) -> dict[str, str]:
    asked = [ConfigResource(ConfigResourceType.TOPIC, topic)]
    told = admin.describe_configs(asked, config_filter="all")["topic"].get(topic, {})
    return {name: str(entry["value"]) for name, entry in told.items()}


def _findings(admin: KafkaAdminClient, topic: str, event_bytes: int) -> Iterator[str]:
    described = admin.describe_topics([topic])
    if not described or described[0].get("error_code"):
        return
    replicas = min((len(part["replica_nodes"]) for part in described[0]["partitions"]), default=0)
    has = _settings(admin, topic)
    if "compact" in has.get("cleanup.policy", ""):
        yield f"topic {topic} is compacted, which removes events of a session: set cleanup.policy=delete"
    if has.get("unclean.leader.election.enable") == "true":
        yield f"topic {topic} may elect a leader that lacks events: set unclean.leader.election.enable=false"
    if replicas > 1 and int(has.get("min.insync.replicas", "1")) < 2:
        yield f"topic {topic} acknowledges with one of {replicas} replicas: set min.insync.replicas=2"
    if 0 <= int(has.get("retention.ms", "-1")) < HOUR_MS:
        yield f"topic {topic} keeps events for less than an hour (retention.ms): what no worker read by then is lost"
    if (limit := int(has.get("max.message.bytes", "1048588"))) < event_bytes + RECORD:
        yield (
            f"topic {topic} takes {limit} bytes, an event may have {event_bytes}: larger ones become dead letters; "
            f"set max.message.bytes={event_bytes + RECORD}, or `outbox.event_bytes` lower"
        )


HOUR_MS = 3_600_000
