"""How long a prompt is, in characters: counted, never guessed, and only where it may matter."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from serving.gateway.body.parser import Message

TOKEN = 4
"""Characters that a token id counts as."""


class _PromptFields(msgspec.Struct):
    prompt: Any = None
    input: Any = None


_prompt = msgspec.json.Decoder(_PromptFields)


def of_messages(messages: Iterable[Message]) -> int:
    """Characters of all message texts; pictures, sounds and calls of tools are none."""
    return sum(_content(_decoded(bytes(message.content))) for message in messages)


def of_field(raw: bytes) -> int:
    """Characters of a completion's `prompt`, or of the `input` of embeddings."""
    try:
        given = _prompt.decode(raw)
    except (msgspec.DecodeError, RecursionError):
        return 0  # no engine will read it either
    return sum(_length(one) for field in (given.prompt, given.input) for one in _texts(field))


def _decoded(given: bytes) -> Any:
    if given[:1] not in (b'"', b"["):
        return None
    try:
        return msgspec.json.decode(given)
    except (msgspec.DecodeError, RecursionError):
        return None


def _content(given: Any) -> int:
    if isinstance(given, str):
        return len(given)
    parts = given if isinstance(given, list) else ()
    return sum(len(text) for part in parts if isinstance(part, dict) and isinstance(text := part.get("text"), str))


def _texts(given: Any) -> Iterable[Any]:
    """The texts, or lists of token ids, of a field that may be one or many."""
    many = isinstance(given, list) and not all(isinstance(one, int) for one in given)
    return given if many else (given,)


def _length(given: Any) -> int:
    if isinstance(given, str):
        return len(given)
    return TOKEN * len(given) if isinstance(given, list) else 0
