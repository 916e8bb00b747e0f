"""Where Redis is."""

from __future__ import annotations

from pydantic import field_validator

from understudy.config import Section

SCHEMES = ("redis://", "rediss://", "unix://")


class RedisConfig(Section):
    """Where Redis is; empty: the embedded one of `up`."""

    url: str = ""
    """redis://, rediss:// or unix://; a password in it is not shown."""
    prefix: str = "us:"
    """Begins every key, so that several systems may share a Redis."""

    @field_validator("url")
    @classmethod
    def _of_redis(cls, value: str) -> str:
        if value and not value.startswith(SCHEMES):
            raise ValueError("use redis://host:port/number, rediss:// or unix://")
        return value
