"""The request body: parsed once for what routing needs; changed only where the contract says so.

Two changes are made, both by splicing the raw bytes: the value of the top-level `model`; and control tokens of
chat templates inside `messages`, which get a zero-width space so that the tokenizer sees text. Every other byte
passes, duplicated spaces, unknown fields and escapes included.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass

import msgspec

from serving.gateway.body.json_text import around
from serving.gateway.body.tokens import ControlTokens
from understudy.errors import BadRequest, TooLarge

HIGHEST, LOWEST = 0, 9
"""Priorities that a client may give; engines serve lower numbers first, and shadow requests come after all of them."""
MAX_MESSAGES = 100_000
LONG = 64 << 10
_MODEL = re.compile(rb'"model"[ \t\r\n]*+:[ \t\r\n]*+("[^"\\]*+(?:\\.[^"\\]*+)*+")', re.DOTALL)
_NULL = msgspec.Raw(b"null")


class Message(msgspec.Struct, gc=False):
    """What routing needs of a message; the rest stays in the raw bytes."""

    role: str = ""
    content: msgspec.Raw = _NULL


class _CompletionFields(msgspec.Struct):
    model: str
    user: msgspec.Raw = _NULL
    stream: bool | None = None
    n: int | float | None = None
    priority: int | float | None = None


class _Chat(_CompletionFields, kw_only=True):
    messages: list[Message]


_chat = msgspec.json.Decoder(_Chat)
_completion = msgspec.json.Decoder(_CompletionFields)


@dataclass(frozen=True, slots=True)
class Body:
    """A parsed body. `parts` are views of the raw bytes around the values of `model` (usually two of them)."""

    model: str
    user: str | None
    stream: bool
    messages: list[Message]
    parts: tuple[memoryview, ...]

    def with_model(self, model: str) -> bytes:
        """The bytes to send when the engine calls its model `model`."""
        return msgspec.json.encode(model).join(self.parts)


class BodyParser:
    """Parses bodies; `tokens` are the control tokens to neutralise in messages, `max_choices` bounds `n`."""

    def __init__(self, tokens: Iterable[str], max_choices: int = 128) -> None:
        self._tokens = ControlTokens(tokens)
        self._max_choices = max_choices

    def parse(self, raw: bytes, chat: bool) -> Body:
        """Parse the body of a chat completion (`chat`) or completion, in time linear in its size.

        Raises:
            BadRequest: not JSON, not UTF-8, or a field that routing needs has the wrong type or value.
            TooLarge: more messages, brackets, strings or control tokens than can be read in time.
        """
        if len(raw) > MAX_MESSAGES and raw.count(b"{") > MAX_MESSAGES:
            raise TooLarge(f"the body has more than {MAX_MESSAGES} objects")
        try:
            given = (_chat if chat else _completion).decode(raw)
            if not raw.isascii():
                raw.decode()
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
            raise _refusal(error) from None
        if given.n is not None and given.n > self._max_choices:
            raise BadRequest(f"`n` must be at most {self._max_choices} here (gateway.max_choices)", param="n")
        if given.priority is not None and not HIGHEST <= given.priority <= LOWEST:
            raise BadRequest(f"`priority` must be between {HIGHEST} and {LOWEST}", param="priority")
        messages = given.messages if isinstance(given, _Chat) else []
        if chat:
            raw = self._tokens.neutralised(raw)
        return Body(given.model, _text(given.user), bool(given.stream), messages, split_model(raw))


def _text(value: msgspec.Raw) -> str | None:
    """The string that `value` is; None where it is another kind of value, or empty."""
    given = bytes(value)
    return msgspec.json.decode(given, type=str) or None if given[:1] == b'"' else None


def _refusal(error: Exception) -> BadRequest:
    text = str(error) or "too deeply nested"
    if "missing required field `model`" in text:
        return BadRequest("you must provide a model: auto, teacher, student or an alias", param="model")
    if "`$.model`" in text:
        return BadRequest("`model` must be a string: auto, teacher, student or an alias", param="model")
    match = re.search(r"`\$\.(\w+)", text)
    missing = re.search(r"required field `(\w+)`", text)
    name = match.group(1) if match else missing.group(1) if missing else None
    return BadRequest(f"the body is not what this endpoint takes: {text}", param=name)


def split_model(raw: bytes) -> tuple[memoryview, ...]:
    """Views of the bytes before, between and after the values of the top-level `model`.

    The short way holds when the text `"model"` occurs once and no key can hide behind an escape.

    Raises:
        TooLarge: the long way would take too many steps.
    """
    if raw.count(b'"model"') == 1 and b"\\u00" not in raw:
        match = _MODEL.match(raw, raw.find(b'"model"'))
        if match is not None:
            view = memoryview(raw)
            return view[: match.start(1)], view[match.end(1) :]
    return around(raw, "model")


def conversation_hash(key: str, messages: list[Message]) -> str:
    """Session of a conversation that names none: the key and the messages up to the first of a user.

    A text that is not LONG counts the same however it is escaped.
    """
    digest = hashlib.blake2b(key.encode("utf-8", "surrogatepass"), digest_size=16)
    for message in messages:
        digest.update(b"\x1e" + message.role.encode("utf-8", "surrogatepass") + b"\x1f")
        content = bytes(message.content)
        if len(content) < LONG and content[:1] == b'"' and b"\\" in content:
            content = msgspec.json.encode(msgspec.json.decode(content, type=str))
        digest.update(content)
        if message.role == "user":
            break
    return digest.hexdigest()
