"""What of a request decides the form of its reply."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from deploy.engines.splitting.json_text import mask

MAX_CHOICES = 4096
"""Choices of one degraded reply, whatever `n` and the number of prompts come to."""
_NULL = msgspec.Raw(b"null")
_SPACE = b" \t\r\n"


@dataclass(frozen=True, slots=True)
class ReplyShape:
    """Of a reply to /v1/chat/completions (`chat`) or /v1/completions."""

    chat: bool
    stream: bool = False
    choices: int = 1
    usage: bool = False
    """Whether a stream ends by a chunk with the usage."""
    structured: bool = False
    """Whether the client will parse the content as JSON."""


class _ShapeFields(msgspec.Struct):
    stream: msgspec.Raw = _NULL
    stream_options: msgspec.Raw = _NULL
    n: msgspec.Raw = _NULL
    response_format: msgspec.Raw = _NULL
    prompt: msgspec.Raw = _NULL


class _StreamOptions(msgspec.Struct):
    include_usage: bool | None = None


class _ResponseFormat(msgspec.Struct):
    type: str = "text"


_asked, _options = msgspec.json.Decoder(_ShapeFields), msgspec.json.Decoder(_StreamOptions)
_format = msgspec.json.Decoder(_ResponseFormat)


def shape_of(raw: bytes, chat: bool) -> ReplyShape:
    """The shape of the reply to the body `raw`, in time linear in its size.

    A field of a wrong type, which an engine would refuse, counts as one that is not given.
    """
    try:
        asked = _asked.decode(raw)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return ReplyShape(chat)
    stream = bytes(asked.stream) == b"true"
    choices = _number(asked.n) * (1 if chat else _prompts(bytes(asked.prompt)))
    return ReplyShape(
        chat, stream, min(choices, MAX_CHOICES), usage=stream and _wants_usage(asked.stream_options),
        structured=chat and _structured(asked.response_format),
    )  # fmt: skip


def _number(value: msgspec.Raw) -> int:
    given = bytes(value)
    return int(max(1.0, min(float(given), MAX_CHOICES))) if given[:1] in b"-0123456789" else 1


def _prompts(given: bytes) -> int:
    """How many prompts the value `given` of `prompt` holds: a text or an array of tokens is one."""
    if given[:1] != b"[":
        return 1
    first = given[1:64].lstrip(_SPACE)[:1]
    if first == b'"':
        return mask(given).count(b'"') // 2
    return max(1, given.count(b"[") - 1) if first == b"[" else 1


def _wants_usage(value: msgspec.Raw) -> bool:
    try:
        return _options.decode(value).include_usage is True
    except msgspec.DecodeError:
        return False


def _structured(value: msgspec.Raw) -> bool:
    try:
        return _format.decode(value).type != "text"
    except msgspec.DecodeError:
        return False
