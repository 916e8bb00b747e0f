"""Configuration of the bus."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator

from feedback.store.config import SCHEMES
from understudy.config import Section


class KafkaConfig(Section):
    """How Kafka is reached, in the words of its own `security.protocol` and `sasl.mechanism`."""

    security: Literal["plaintext", "ssl", "sasl_plaintext", "sasl_ssl"] = "plaintext"
    """How the brokers are reached."""
    mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "SCRAM-SHA-512"
    """How a client proves who it is under SASL."""
    user: str = ""
    """Name under SASL."""
    password_env: str = "UNDERSTUDY_KAFKA_PASSWORD"
    """Environment variable that holds the password."""
    ca_file: Path | None = None
    """PEM of the authority that signed the brokers' certificates; without it those of the system."""
    cert_file: Path | None = None
    """PEM of our certificate, where brokers ask for one."""
    key_file: Path | None = None
    """The client's private key, as PEM."""
    check_hostname: bool = True
    """Whether a broker's certificate must name its host."""


class BusConfig(Section):
    """`redis://...` or `kafka://host:port[,host:port]`; empty: the Redis of section `redis`."""

    url: str = ""
    """Where events go; empty: the Redis of section `redis`."""
    partitions: int = Field(default=2, ge=1, le=256)
    """Of each topic; the events of a session keep their order. The same for all roles."""
    max_stream_bytes: int = Field(default=64 << 20, gt=0)
    """Bytes held by a partition of Redis Streams."""
    replicas: int = Field(default=0, ge=0, le=16)
    """Replicas of an external Redis that must hold an event before it leaves the spool at once (`WAIT`); without
    them it is believed after `outbox.keep_seconds` and a second answer."""
    kafka: KafkaConfig = KafkaConfig()
    """TLS and SASL of a `kafka://` bus."""

    @field_validator("url")
    @classmethod
    def _of_either_kind(cls, value: str) -> str:
        if value and not value.startswith(("kafka://", *SCHEMES)):
            raise ValueError("use redis://host:port or kafka://host:port")
        return value
