"""The request body: parsed once for what routing needs; changed only where the contract says so.

Two changes are made, both by splicing the raw bytes: the value of the top-level `model`; and control tokens of
chat templates in messages and in what else a template writes into the prompt (`placing.SPLIT_IN`), which get a
zero-width space so that the tokenizer sees text. Every other byte passes, spaces, unknown fields and escapes included.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import msgspec

from deploy.engines.splitting.json_text import around
from deploy.engines.splitting.placing import ROLES
from deploy.engines.splitting.tokens import ControlTokens, splitter_of
from deploy.engines.tokens import split_for
from understudy.errors import BadRequest, TooLarge

HIGHEST, LOWEST = 0, 9
"""Priorities that a client may give; engines serve lower numbers first, and shadow requests come after all of them."""
MAX_MESSAGES = 100_000
"""Messages that are parsed; what looks like one inside a text is none."""
LONG = 64 << 10
TokenList = tuple[str, ...]
_MODEL = re.compile(rb'"model"[ \t\r\n]*+:[ \t\r\n]*+("[^"\\]*+(?:\\.[^"\\]*+)*+")', re.DOTALL)
_NULL = msgspec.Raw(b"null")
_ROLES = frozenset(msgspec.json.encode(role) for role in ROLES)
_DIGITS = frozenset(bytes([byte]) for byte in b"-0123456789")
"""What a number in JSON begins with."""
MISSING = "missing_required_parameter"
"""OpenAI's code."""


class Message(msgspec.Struct, gc=False):
    """What routing needs of a message; the rest stays in the raw bytes, and a role that is no text is the engine's."""

    role: msgspec.Raw = _NULL
    content: msgspec.Raw = _NULL


class _Counted(Message, gc=False):
    """A message of a body in which there may be too many."""

    made: ClassVar[int] = 0

    def __post_init__(self) -> None:
        _Counted.made += 1
        if _Counted.made > MAX_MESSAGES:
            raise TooLarge(f"the body has more than {MAX_MESSAGES} messages")


class _Named(msgspec.Struct):
    model: str


class _CompletionFields(_Named):
    user: msgspec.Raw = _NULL
    n: msgspec.Raw = _NULL
    priority: msgspec.Raw = _NULL
    stream: msgspec.Raw = _NULL


class _Chat(_CompletionFields, kw_only=True):
    messages: list[Message]


class _ManyMessages(_CompletionFields, kw_only=True):
    messages: list[_Counted]


_named = msgspec.json.Decoder(_Named)
_chat = msgspec.json.Decoder(_Chat)
_many = msgspec.json.Decoder(_ManyMessages)
_completion = msgspec.json.Decoder(_CompletionFields)


@dataclass(slots=True)
class Body:
    """A parsed body. What is sent is made anew of the client's bytes for each list of control tokens."""

    model: str
    user: str | None
    messages: Sequence[Message]
    streams: bool
    """Whether the reply is to be streamed."""
    _split: Callable[[TokenList], tuple[memoryview, ...]]
    _made: tuple[TokenList, tuple[memoryview, ...]] | None = None

    def split(self, tokens: TokenList = ()) -> tuple[memoryview, ...]:
        """Views of the bytes around the values of `model` (usually two of them), `tokens` neutralised; none: those of
        the configuration.

        Raises:
            BadRequest: a control token stands in a name, or a role could make up one.
            TooLarge: more brackets, strings or control tokens than can be read in time.
        """
        if self._made is None or self._made[0] != tokens:
            self._made = tokens, self._split(tokens)
        return self._made[1]

    def with_model(self, model: str, tokens: TokenList = ()) -> bytes:
        """The bytes to send when the engine calls its model `model` and has these control tokens; raises as `split`."""
        return msgspec.json.encode(model).join(self.split(tokens))


class BodyParser:
    """Parses bodies; `tokens` are the control tokens to neutralise in messages, `max_choices` bounds `n`."""

    def __init__(self, tokens: Iterable[str], max_choices: int = 128) -> None:
        self._tokens = tuple(tokens)
        self._default = splitter_of(self._tokens)
        self._max_choices = max_choices

    def _splitter(self, tokens: TokenList) -> ControlTokens:
        """That of an engine's control tokens; what else is configured holds for it as well."""
        return splitter_of(split_for(tokens, self._tokens)) if tokens else self._default

    def _parts(self, raw: bytes, tokens: TokenList, chat: bool, messages: Sequence[Message]) -> tuple[memoryview, ...]:
        if not chat:
            return split_model(raw)
        splitter = self._splitter(tokens)
        if odd := {bytes(message.role) for message in messages} - _ROLES:
            try:
                splitter.check_roles([msgspec.json.decode(role) for role in odd])
            except (msgspec.DecodeError, RecursionError):
                raise BadRequest("the role of a message could not be read", param="messages") from None
        return split_model(splitter.neutralised(raw))

    def parse(self, raw: bytes, chat: bool) -> Body:
        """Parse the body of a chat completion (`chat`) or completion, in time linear in its size.

        A field that neither routing nor a limit needs is the engine's to judge.

        Raises:
            BadRequest: not JSON, not UTF-8, or a field that routing needs has the wrong type or value.
            TooLarge: more messages than can be read in time.
        """
        try:
            given = _decoder(raw, chat).decode(raw)
            if not raw.isascii():
                raw.decode()
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
            raise _refusal(str(error)) from None
        if given.n is not _NULL and not _within(given.n, -math.inf, self._max_choices):
            raise BadRequest(f"`n` must be a number up to {self._max_choices} here (gateway.max_choices)", param="n")
        if given.priority is not _NULL and not _within(given.priority, HIGHEST, LOWEST):
            raise BadRequest(f"`priority` must be a number between {HIGHEST} and {LOWEST}", param="priority")
        messages = given.messages if isinstance(given, _Chat | _ManyMessages) else ()
        split = lambda tokens: self._parts(raw, tokens, chat, messages)  # noqa: E731
        return Body(given.model, _text(given.user), messages, bytes(given.stream) == b"true", split)


def model_of(raw: bytes) -> str | None:
    """The model that a body names which may not be parsed; None where it names none."""
    try:
        return _named.decode(raw).model
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return None


def _decoder(raw: bytes, chat: bool) -> msgspec.json.Decoder[Any]:
    if not chat:
        return _completion
    if len(raw) <= MAX_MESSAGES or raw.count(b"{") <= MAX_MESSAGES:
        return _chat
    _Counted.made = 0
    return _many


def _within(value: msgspec.Raw, least: float, most: float) -> bool:
    """Whether `value` is null or a number between the two; engines take a text such as "-5" for one, too."""
    given = bytes(value)
    return given == b"null" or (given[:1] in _DIGITS and least <= float(given) <= most)


def _text(value: msgspec.Raw) -> str | None:
    """The string that `value` is; None where it is another kind of value, or empty."""
    given = bytes(value)
    return msgspec.json.decode(given, type=str) or None if given[:1] == b'"' else None


def _refusal(said: str) -> BadRequest:
    """What to tell a client of a body that `said`, the parser's words, is about."""
    if said.startswith("Object missing required field `model`"):
        message = "you must provide a model parameter: auto, teacher, student or an alias"
        return BadRequest(message, param="model", code=MISSING)
    if said.startswith("Object missing required field `messages`"):
        return BadRequest("Missing required parameter: 'messages'.", param="messages", code=MISSING)
    if "`$.model`" in said:
        return BadRequest("`model` must be a string: auto, teacher, student or an alias", param="model")
    if "`$.messages" in said:
        return BadRequest("`messages` must be an array of objects", param="messages")
    return BadRequest("the body of your request could not be parsed: it must be one JSON object in UTF-8")


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


def conversation_hash(key: str, messages: Iterable[Message]) -> str:
    """Session of a conversation that names none: the key and the messages up to the first of a user.

    A text that is not LONG counts the same however it is escaped.
    """
    told = [key.encode("utf-8", "surrogatepass")]
    for message in messages:
        role = _unescaped(message.role)
        told += (b"\x1e", role.strip(b'"'), b"\x1f", _unescaped(message.content))
        if role == b'"user"':
            break
    return hashlib.blake2b(b"".join(told), digest_size=16).hexdigest()


def _unescaped(value: msgspec.Raw) -> bytes:
    given = bytes(value)
    if len(given) < LONG and given[:1] == b'"' and b"\\" in given:
        return msgspec.json.encode(msgspec.json.decode(given, type=str))
    return given
