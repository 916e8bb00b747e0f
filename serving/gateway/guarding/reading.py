"""The texts of a request that the guard reads. Pure, linear in the size of the body."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import msgspec

from serving.gateway.body.parser import Message
from serving.guard.cascade import SYSTEM, TOOL, GuardedText

OWN_ROLES = frozenset({b'"system"', b'"developer"'})
"""Roles of the application's own messages."""
MOST_JOINED = 64
"""Of the latest pairs of successive messages of the user that are read as one text."""
_SIDE = 1_000
"""Characters of each of the two, where they meet."""
_TEXT_KEYS = ("text", "refusal", "thinking")
_NULL = msgspec.Raw(b"null")


class _Elsewhere(msgspec.Struct):
    """What of a body holds text beside its messages."""

    tools: msgspec.Raw = _NULL
    functions: msgspec.Raw = _NULL
    documents: msgspec.Raw = _NULL
    chat_template_kwargs: msgspec.Raw = _NULL
    prompt: msgspec.Raw = _NULL
    suffix: msgspec.Raw = _NULL


_elsewhere = msgspec.json.Decoder(_Elsewhere)
_KEYS = tuple(f'"{name}"'.encode() for name in _Elsewhere.__struct_fields__)


def texts_of(raw: bytes, messages: Sequence[Message], chat: bool) -> list[GuardedText]:
    """The texts of the body `raw`, valid JSON, whose messages are `messages`; the latest message first."""
    found: list[GuardedText] = []
    users: list[str] = []
    for message in messages:
        text = _content(message.content)
        if not text:
            continue
        found.append(GuardedText(text, SYSTEM if bytes(message.role) in OWN_ROLES else 0.0))
        if bytes(message.role) == b'"user"':
            users.append(text)
    found.reverse()
    found.extend(GuardedText(text) for text in _joined(users))
    if not chat or any(key in raw for key in _KEYS):
        found.extend(one for one in _beside_messages(raw, chat) if one.text)
    return found


def _content(given: msgspec.Raw) -> str:
    """The text of a message's content: its own, or that of all its parts."""
    parts = _value(given)
    if isinstance(parts, str):
        return parts
    if not isinstance(parts, list):
        return ""
    texts = (part if isinstance(part, str) else _of_part(part) for part in parts)
    return "\n".join(text for text in texts if text)


def _value(given: msgspec.Raw) -> Any:
    """The JSON value; None where it is nested too deep."""
    try:
        return msgspec.json.decode(given)
    except RecursionError:
        return None


def _of_part(part: Any) -> str:
    if not isinstance(part, dict):
        return ""
    return "\n".join(part[key] for key in _TEXT_KEYS if isinstance(part.get(key), str))


def _joined(users: list[str]) -> Iterator[str]:
    """The user's successive messages as one text, two by two and where they meet, and the last three."""
    for before, after in pairwise(users[-MOST_JOINED - 1 :]):
        yield f"{before[-_SIDE:]} {after[:_SIDE]}"
    if len(users) > 2:
        yield " ".join(text[-_SIDE:] for text in users[-3:])


def _beside_messages(raw: bytes, chat: bool) -> Iterator[GuardedText]:
    """Texts that stand elsewhere: what tools are said to do, documents, a template's values; a completion's prompt."""
    try:
        body = _elsewhere.decode(raw)
    except (msgspec.DecodeError, RecursionError):
        return
    if not chat:
        yield from map(GuardedText, _prompts(body.prompt))
        yield from map(GuardedText, _prompts(body.suffix))
        return
    for tools in (body.tools, body.functions):
        yield GuardedText("\n".join(_strings(_value(tools), only="description")), TOOL)
    for other in (body.documents, body.chat_template_kwargs):
        yield GuardedText("\n".join(_strings(_value(other))))


def _prompts(given: msgspec.Raw) -> Iterator[str]:
    value = _value(given)
    for prompt in value if isinstance(value, list) else [value]:
        if isinstance(prompt, str):
            yield prompt


def _strings(value: Any, only: str | None = None) -> Iterator[str]:
    """Every string within a JSON value; with `only`, those under a key of that name."""
    waiting: list[tuple[Any, bool]] = [(value, only is None)]
    while waiting:
        one, wanted = waiting.pop()
        if isinstance(one, str):
            if wanted:
                yield one
        elif isinstance(one, dict):
            waiting.extend((inner, only is None or name == only) for name, inner in reversed(one.items()))
        elif isinstance(one, list):
            waiting.extend((inner, wanted) for inner in reversed(one))
