"""Writes degraded replies: joined from bytes that are ready, in which only id, time and model vary."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

import msgspec

from serving.gateway.degraded.language import TEXTS, ReplyLanguage
from serving.gateway.degraded.shape import ReplyShape
from serving.gateway.http import wire

Cause = Literal["guard", "breaker", "deadline"]
"""Values of the header `x-understudy-degraded`."""
HEADER = b"x-understudy-degraded: "
_USAGE = b'{"prompt_tokens":0,"completion_tokens":0,"total_tokens":0}'
_END = b'"logprobs":null,"finish_reason":"content_filter"}'
_JSON = b"content-type: application/json\r\n"
_EVENTS = b"content-type: text/event-stream; charset=utf-8\r\ncache-control: no-cache\r\n"


@dataclass(frozen=True, slots=True)
class DegradedReply:
    """A reply with status 200; `lines` are its header lines but for its length, with their ends."""

    lines: tuple[bytes, ...]
    body: bytes

    def http(self, extra: Iterable[bytes] = (), *, close: bool = False) -> bytes:
        """The whole HTTP response; `extra` are further header lines with their ends."""
        return b"".join([
            wire.status_line(200), *self.lines, *extra, b"content-length: %d\r\n" % len(self.body),
            b"connection: close\r\n\r\n" if close else b"\r\n", self.body,
        ])  # fmt: skip


def reply_id(chat: bool, request_id: str) -> str:
    """The reply's id, by which a client appeals."""
    return ("chatcmpl-" if chat else "cmpl-") + request_id


def degraded_reply(
    shape: ReplyShape, cause: Cause, language: ReplyLanguage, request_id: str, created: int, model: str
) -> DegradedReply:
    """The reply to a request of `shape`.

    `request_id` becomes part of the reply's id, `created` is in Unix seconds, and `model` is the name of a model that
    there is: the request's own words must not come back.
    """
    name = "text_completion" if not shape.chat else "chat.completion.chunk" if shape.stream else "chat.completion"
    identity = reply_id(shape.chat, request_id)
    head = msgspec.json.encode({"id": identity, "object": name, "created": created, "model": model})
    head = head[:-1] + b',"choices":['
    lines = (_EVENTS if shape.stream else _JSON, HEADER + cause.encode() + b"\r\n")
    text = msgspec.json.encode(TEXTS[language])
    if shape.stream:
        return DegradedReply(lines, b"".join(_events(shape, head, text)))
    choices = b",".join(_choices(shape, text))
    return DegradedReply(lines, head + choices + b'],"usage":' + _USAGE + b"}")


def _choices(shape: ReplyShape, text: bytes) -> Iterator[bytes]:
    """The choices of a reply that does not stream, and those of a streamed completion, one a chunk."""
    for index in range(shape.choices):
        place = b'{"index":%d,' % index
        said = b'"message":' + _message(shape, text) if shape.chat else b'"text":' + text
        yield place + said + b"," + _END


def _message(shape: ReplyShape, text: bytes) -> bytes:
    content, refusal = (b"null", text) if shape.structured else (text, b"null")
    return b'{"role":"assistant","content":' + content + b',"refusal":' + refusal + b"}"


def _events(shape: ReplyShape, head: bytes, text: bytes) -> Iterator[bytes]:
    """Server-sent events: for each choice what it says and how it ends, the usage where asked, the end."""
    opening = b"data: " + head
    closing = b'],"usage":null}\n\n' if shape.usage and shape.chat else b"]}\n\n"
    for choice in _deltas(shape, text) if shape.chat else _choices(shape, text):
        yield opening + choice + closing
    if shape.usage:
        yield opening + b'],"usage":' + _USAGE + b"}\n\n"
    yield b"data: [DONE]\n\n"


def _deltas(shape: ReplyShape, text: bytes) -> Iterator[bytes]:
    message = _message(shape, text)
    for index in range(shape.choices):
        place = b'{"index":%d,"delta":' % index
        yield place + message + b',"logprobs":null,"finish_reason":null}'
        yield place + b"{}," + _END
