"""The request body: parsed once for what routing needs; changed only where the contract says so.

Two changes are made, both by splicing the raw bytes: the value of the top-level `model`, and control
tokens of chat templates inside `messages`, which get a zero-width space so that the tokenizer sees
text. Every other byte passes, duplicated spaces, unknown fields and escapes included.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import msgspec

from understudy.errors import BadRequest

SPLIT = b"\\u200b"
"""Put after a control token's first character: a zero-width space as a JSON escape."""
_TOKEN = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[{}\[\]:,]|[^\s{}\[\]:,"]+', re.DOTALL)
_MODEL = re.compile(rb'"model"[ \t\r\n]*:[ \t\r\n]*("[^"\\]*(?:\\.[^"\\]*)*")', re.DOTALL)
_UNITS = re.compile(r"\\u[0-9a-fA-F]{4}|\\.|[^\\]", re.DOTALL)
_ESCAPES = {"\\n": "\n", "\\t": "\t", "\\r": "\r", "\\b": "\b", "\\f": "\f"}


class Message(msgspec.Struct):
    """What routing needs of a message; the rest stays in the raw bytes."""

    role: str = ""
    content: Any = None


class _Chat(msgspec.Struct):
    model: str
    messages: list[Message]
    user: Any = None
    stream: bool | None = None


class _Completion(msgspec.Struct):
    model: str
    prompt: Any = None
    user: Any = None
    stream: bool | None = None


_chat = msgspec.json.Decoder(_Chat)
_completion = msgspec.json.Decoder(_Completion)


@dataclass(frozen=True, slots=True)
class Body:
    """A parsed body. `parts` are the raw bytes around the values of `model` (usually two of them)."""

    model: str
    user: str | None
    stream: bool
    messages: list[Message]
    parts: tuple[bytes, ...]

    def with_model(self, model: str) -> bytes:
        """The bytes to send when the engine calls its model `model`."""
        return msgspec.json.encode(model).join(self.parts)


class BodyParser:
    """Parses bodies; `tokens` are the control tokens to neutralise in messages."""

    def __init__(self, tokens: tuple[str, ...]) -> None:
        self._tokens = tokens
        self._plain = tuple(token.encode() for token in tokens)
        self._starts = tuple({token[:2] for token in self._plain})
        letters = sorted({char for token in tokens for char in token})
        self._escaped = tuple({b"\\u%02x" % (ord(char) >> 8) for char in letters})
        self._slash = any("/" in token for token in tokens)

    def parse(self, raw: bytes, chat: bool) -> Body:
        """Parse the body of a chat completion (`chat`) or completion.

        Raises:
            BadRequest: not JSON, not UTF-8, or a field that routing needs has the wrong type.
        """
        try:
            given = _chat.decode(raw) if chat else _completion.decode(raw)
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
            raise _refusal(error) from None
        if chat and self._suspicious(raw):
            raw = self.neutralise(raw)
        user = given.user if isinstance(given.user, str) and given.user else None
        messages = given.messages if isinstance(given, _Chat) else []
        return Body(given.model, user, bool(given.stream), messages, split_model(raw))

    def _suspicious(self, raw: bytes) -> bool:
        """Whether a control token may be in it; cheap, and true too often rather than too rarely."""
        if any(start in raw for start in self._starts) and any(token in raw for token in self._plain):
            return True
        if b"\\" not in raw:
            return False
        if self._slash and b"\\/" in raw:
            return True
        lowered = raw.lower()
        return any(escape in lowered for escape in self._escaped)

    def neutralise(self, raw: bytes) -> bytes:
        """`raw` with every control token inside `messages` split; the same bytes when there is none."""
        out: list[bytes] = []
        done = 0
        for start, end in _strings_of(raw, "messages"):
            literal = raw[start:end]
            changed = self._split_tokens(literal)
            if changed is not literal:
                out += (raw[done:start], changed)
                done = end
        return b"".join([*out, raw[done:]]) if out else raw

    def _split_tokens(self, literal: bytes) -> bytes:
        units = _UNITS.findall(literal.decode())
        text = "".join(_decoded(unit) for unit in units)
        cuts = set()
        for token in self._tokens:
            at = text.find(token)
            while at >= 0:
                cuts.add(at)
                at = text.find(token, at + 1)
        if not cuts:
            return literal
        return b"".join(unit.encode() + (SPLIT if at in cuts else b"") for at, unit in enumerate(units))


def _refusal(error: Exception) -> BadRequest:
    text = str(error) or "too deeply nested"
    if "missing required field `model`" in text or "`$.model`" in text:
        return BadRequest("`model` must be a string: auto, teacher, student or an alias", param="model")
    match = re.search(r"`\$\.(\w+)", text)
    missing = re.search(r"required field `(\w+)`", text)
    name = match.group(1) if match else missing.group(1) if missing else None
    return BadRequest(f"the body is not what this endpoint takes: {text}", param=name)


def _decoded(unit: str) -> str:
    """One character for each unit, so that positions in text and units agree."""
    if unit[0] != "\\":
        return unit
    if unit[1] == "u":
        return chr(int(unit[2:], 16))
    return _ESCAPES.get(unit, unit[1])


def _top_level(raw: bytes) -> Iterator[tuple[bytes, int, int]]:
    """(key literal, start, end) of every value of the top-level object, in order."""
    depth, key, start, last = 0, b"", -1, 0
    expect_key = False
    for match in _TOKEN.finditer(raw):
        token = match.group()
        if token in (b"{", b"["):
            depth += 1
            expect_key = depth == 1
            if depth == 2 and start < 0:
                start = match.start()
        elif token in (b"}", b"]"):
            depth -= 1
            if depth == 0 and start >= 0:
                yield key, start, last
        elif depth == 1 and token == b",":
            yield key, start, last
            start, expect_key = -1, True
        elif depth == 1 and expect_key:
            key, expect_key = token, False
        elif depth == 1 and token != b":" and start < 0:
            start = match.start()
        last = match.end()


def _strings_of(raw: bytes, name: str) -> Iterator[tuple[int, int]]:
    """Start and end of every string literal inside the top-level values called `name`."""
    for key, start, end in _top_level(raw):
        if msgspec.json.decode(key) == name:
            for match in _TOKEN.finditer(raw, start, end):
                if match.group()[:1] == b'"':
                    yield match.span()


def split_model(raw: bytes) -> tuple[bytes, ...]:
    """The bytes before, between and after the values of the top-level `model`.

    The short way holds when the text `"model"` occurs once and no key can hide behind an escape.
    """
    if raw.count(b'"model"') == 1 and b"\\u00" not in raw:
        match = _MODEL.search(raw)
        if match is not None:
            return raw[: match.start(1)], raw[match.end(1) :]
    parts, done = [], 0
    for key, start, end in _top_level(raw):
        if msgspec.json.decode(key) == "model":
            parts.append(raw[done:start])
            done = end
    return (*parts, raw[done:])


def conversation_hash(key: str, messages: list[Message]) -> str:
    """Session of a conversation that names none: the key and the messages up to the first of a user."""
    digest = hashlib.blake2b(key.encode("utf-8", "surrogatepass"), digest_size=16)
    for message in messages:
        digest.update(b"\x1e" + message.role.encode("utf-8", "surrogatepass") + b"\x1f")
        content = message.content
        digest.update(msgspec.json.encode(content))
        if message.role == "user":
            break
    return digest.hexdigest()
