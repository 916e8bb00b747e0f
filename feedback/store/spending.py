"""Tokens that an API of somebody else is asked for: counted by day (UTC) and purpose, in Redis, so over restarts."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from feedback.store.connection import Client, redis_errors
from feedback.store.keys import RedisKeys
from understudy.clock import Clock, monotonic, wall

TokenPurpose = Literal["primary", "shadow", "scoring", "probes"]
PURPOSES: tuple[TokenPurpose, ...] = ("primary", "shadow", "scoring", "probes")
"""Answers to clients, copies of them, texts scored for a round, and fixed prompts that show another model."""
BYTES = 4
"""Of text that are taken for a token, in any script: about four letters, or one character of Chinese and a bit."""
FRESH = 1.0
"""Seconds for which a reading of what was spent is used again."""


def utc_day(at: float) -> str:
    """The day of a time in seconds since the epoch."""
    return time.strftime("%Y-%m-%d", time.gmtime(at))


def guessed_tokens(size: int) -> int:
    """Tokens of `size` bytes of text, where nobody told their number."""
    return -(-size // BYTES)


def answer_tokens(told: int, messages: Sequence[Mapping[str, Any]], text: str) -> int:
    """Tokens of an answer to `messages`: as many as it `told`, or guessed by both texts where it told none."""
    if told:
        return told
    sent = json.dumps(list(messages), ensure_ascii=False) + text
    return guessed_tokens(len(sent.encode("utf-8", "replace")))


def spent_effect(keys: RedisKeys, purpose: TokenPurpose, tokens: int, at: float) -> list[Any]:
    """The command that counts `tokens` spent at `at`."""
    return ["HINCRBY", keys.spent, f"{utc_day(at)}:{purpose}", tokens]


class Spending:
    """What was spent today, and whether the cap is reached (None: there is none)."""

    def __init__(
        self, client: Client, keys: RedisKeys, cap: int | None, clock: Clock = wall, passed: Clock = monotonic
    ) -> None:
        self._redis, self._keys, self.cap, self._clock, self._passed = client, keys, cap, clock, passed
        self._known: tuple[float, int] = (-FRESH, 0)

    def add(self, purpose: TokenPurpose, tokens: int) -> None:
        """Count `tokens`.

        Raises:
            Unavailable: Redis is away.
        """
        with redis_errors():
            self._redis.hincrby(self._keys.spent, f"{utc_day(self._clock())}:{purpose}", tokens)

    def today(self) -> dict[TokenPurpose, int]:
        """Tokens by purpose.

        Raises:
            Unavailable: Redis is away.
        """
        day = utc_day(self._clock())
        with redis_errors():
            found: list[Any] = self._redis.hmget(self._keys.spent, [f"{day}:{purpose}" for purpose in PURPOSES])
        return {purpose: int(n or 0) for purpose, n in zip(PURPOSES, found, strict=True)}

    def over(self) -> bool:
        """Whether today's cap is reached, by a reading at most a second old.

        Raises:
            Unavailable: Redis is away, so nobody knows.
        """
        if self.cap is None:
            return False
        now = self._passed()
        if now - self._known[0] >= FRESH:
            self._known = (now, sum(self.today().values()))
        return self._known[1] >= self.cap
