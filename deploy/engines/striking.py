"""The key that an engine was asked with, where its answer repeats it. Pure."""

from __future__ import annotations

SHORTEST = 8
"""Characters that a key has at least to be struck out: `k`, `any` and `EMPTY`, which are given to engines without keys,
are no secrets, and stand in what engines say of other things."""
STRUCK = "***"
"""In place of it."""


def is_secret(key: str) -> bool:
    """Whether `key` is long enough to be one."""
    return len(key) >= SHORTEST


def struck(text: str, key: str) -> str:
    """`text` without `key`, written plainly or as JSON that escapes slashes."""
    if not is_secret(key):
        return text
    return text.replace(key, STRUCK).replace(key.replace("/", r"\/"), STRUCK)
