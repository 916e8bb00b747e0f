"""Where Redis is."""

from __future__ import annotations

from understudy.config import Section


class RedisConfig(Section):
    """Where Redis is; empty: the embedded one of `up`."""

    url: str = ""
    prefix: str = "us:"
