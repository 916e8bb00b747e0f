"""How many tokens a request may use, and how many it did, by what its reply says."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from feedback.store.spending import BYTES, guessed_tokens

TAIL = 4096
"""Bytes of a reply's end that are looked through for what it used."""
_USED = re.compile(rb'"total_tokens"\s*:\s*(\d{1,15})\b')


class _TokensAsked(msgspec.Struct):
    max_tokens: Any = None
    max_completion_tokens: Any = None
    n: Any = None


_asked = msgspec.json.Decoder(_TokensAsked)


def estimated(raw: bytes, reply_tokens: int | None) -> int:
    """Tokens of prompt and reply, guessed from a body; `reply_tokens` where it names none, None: there is no reply."""
    prompt = guessed_tokens(len(raw))
    if reply_tokens is None:
        return prompt
    try:
        given = _asked.decode(raw)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return prompt + reply_tokens
    most = _count(given.max_completion_tokens) or _count(given.max_tokens) or reply_tokens
    return prompt + most * (_count(given.n) or 1)


def _count(value: Any) -> int:
    return int(value) if isinstance(value, int | float) and 0 < value < 1e12 else 0


class ReplyMeter:
    """Watches a reply go by; keeps its end alone."""

    __slots__ = ("_bytes", "_events", "_prompt", "_tail")

    def __init__(self, raw: bytes) -> None:
        """`raw`: the request's body."""
        self._prompt = estimated(raw, None)
        self._tail = b""
        self._bytes = self._events = 0

    def feed(self, data: bytes) -> None:
        """A part of the reply."""
        self._bytes += len(data)
        self._events += data.count(b"data:")
        self._tail = data[-TAIL:] if len(data) >= TAIL else (self._tail + data)[-TAIL:]

    def used(self) -> int:
        """Tokens: as the reply says; where it says nothing, the prompt's guess and one an event, or by its bytes.

        Of a request that no engine answered none.
        """
        found = _USED.findall(self._tail)
        if found:
            return int(found[-1])
        return self._prompt + (self._events or self._bytes // BYTES) if self._bytes else 0
