"""Where Redis is."""

from __future__ import annotations

from understudy.config import Section


class RedisConfig(Section):
    """Where Redis is; empty: the embedded one of `up`."""

    url: str = ""
    """redis://, rediss:// or unix://; a password in it is not shown."""
    prefix: str = "us:"
    """Begins every key, so that several systems may share a Redis."""
