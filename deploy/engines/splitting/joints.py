"""Control tokens that come about where an engine takes a chat apart, and that no single text of it holds.

Templates may write the parts of a content one behind the other, blanks around them left out; and engines parse the
arguments of tool calls, JSON within a JSON string, so that a token may be spelled by the escapes of both. Arguments are
a text to this product everywhere else, so that nothing but this module reads them.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import Any

import msgspec

from deploy.engines.splitting.json_text import elements, fields, mask, quoted
from understudy.errors import BadRequest

TEXTS = frozenset({"text", "refusal", "thinking"})
"""Keys under which parts of a content hold their text."""
_CONTENT, _CALLS, _FUNCTION, _ARGUMENTS = ({"content"}, {"tool_calls"}, {"function"}, {"arguments"})
_NULL = msgspec.Raw(b"null")
_PARTS = re.compile(rb'"content"\s*+:\s*+\[')
_ESCAPED_LETTER = b"\\u00"
"""With one of these a key may be spelled in other ways."""
_BACKSLASHES = (b"\xff\xff", b"\\u005")
"""A backslash within a string, in masked text."""
_CHAR = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u[0-9a-fA-F]{4}|\\.|[\x00-\x7f]|[\xc2-\xf4][\x80-\xbf]+",
    re.DOTALL,
)
"""One character of a string, however it is spelled."""


class _MessageApart(msgspec.Struct, gc=False):
    content: msgspec.Raw = _NULL
    tool_calls: msgspec.Raw = _NULL


class _MessagesApart(msgspec.Struct):
    messages: list[_MessageApart]


_turns = msgspec.json.Decoder(_MessagesApart)


class Joints:
    """Finds `tokens` across the parts of contents, and in arguments.

    `starts` matches the first byte of each in plain text; `cuts` tells where those end in masked JSON text.
    """

    def __init__(self, tokens: Sequence[str], starts: re.Pattern[bytes], cuts: Callable[[bytes], list[int]]) -> None:
        self._tokens = tuple(token.encode() for token in tokens)
        self._reach = max(map(len, self._tokens))
        self._starts, self._cuts = starts, cuts

    def holds_none(self, masked: bytes) -> bool:
        """Whether a chat without an escaped letter has neither contents of parts nor arguments of calls."""
        return b'"arguments"' not in masked and _PARTS.search(masked) is None

    def apart(self, raw: bytes, masked: bytes) -> set[int]:
        """Places in `raw`, a chat whose masked text is `masked`, where something must be put in between.

        Raises:
            BadRequest: parts or calls that cannot be read.
        """
        spelled = _ESCAPED_LETTER in masked
        parts = spelled or _PARTS.search(masked) is not None
        calls = (spelled or b'"arguments"' in masked) and any(mark in masked for mark in _BACKSLASHES)
        if not parts and not calls:
            return set()
        try:
            turns = _turns.decode(raw).messages
            crossed = (
                {place: found for place, turn in enumerate(turns) if (found := self._crossed(turn))} if parts else {}
            )
            called = {place for place, turn in enumerate(turns) if self._spelled(turn)} if calls else set()
        except msgspec.ValidationError:  # messages that are no objects: no engine takes them
            return set()
        except (msgspec.DecodeError, RecursionError):
            raise BadRequest("the parts of a content, or the tool calls, could not be read", param="messages") from None
        return set(self._places(raw, masked, crossed, called)) if crossed or called else set()

    def crossings(self, texts: Sequence[str]) -> set[int]:
        """Of texts that are written one behind the other, with their blanks or without, those that end a token."""
        return self._between(texts, str) | self._between(texts, str.strip)

    def _between(self, texts: Sequence[str], shown: Callable[[str], str]) -> set[int]:
        joined, at = [], 0
        begins: list[int] = []
        numbers: list[int] = []
        for number, text in enumerate(map(shown, texts)):
            told = text.encode("utf-8", "surrogatepass")
            blank = len(told) - len(told.lstrip())
            if blank < len(told):
                begins.append(at + min(blank, self._reach))
                numbers.append(number)
            if len(told) > 2 * self._reach:
                told = told[: self._reach] + b"\0" + told[-self._reach :]
            joined.append(told)
            at += len(told)
        whole = b"".join(joined)
        found: set[int] = set()
        for start in (match.start() for match in self._starts.finditer(whole)):
            end = start + max(len(token) for token in self._tokens if whole.startswith(token, start))
            first = bisect_right(begins, start)
            found.update(numbers[place] for place in range(first, bisect_right(begins, end - 1)))
        return found

    def _crossed(self, turn: _MessageApart) -> set[int]:
        """The parts of a message's content that end a token."""
        raw = bytes(turn.content)
        return self.crossings([_text(part) for part in msgspec.json.decode(raw)]) if raw[:1] == b"[" else set()

    def _spelled(self, turn: _MessageApart) -> bool:
        """Whether a call's arguments spell a token by an escape of their own."""
        raw = bytes(turn.tool_calls)
        if raw[:1] != b"[" or b"\\" not in raw:
            return False
        return any(self._inside(text) for text in _arguments(msgspec.json.decode(raw)) if "\\" in text)

    def _inside(self, text: str) -> list[int]:
        """How many characters of `text`, JSON itself, stand before each place where a token in it must be cut."""
        told = text.encode("utf-8", "surrogatepass")
        masked = mask(told)
        return [len(told[:cut].decode("utf-8", "surrogatepass")) for cut in quoted(masked, self._cuts(masked))]

    def _places(
        self, raw: bytes, masked: bytes, crossed: dict[int, set[int]], called: Collection[int]
    ) -> Iterator[int]:
        for start in (start for name, start, _ in fields(raw, masked) if name == "messages"):
            for place, (turn, _) in enumerate(elements(masked, start)):
                if place in crossed:
                    for text in _values(raw, masked, turn, [_CONTENT, crossed[place], TEXTS]):
                        yield _first(raw, text, masked.index(b'"', text + 1))
                if place in called:
                    for text in _values(raw, masked, turn, [_CALLS, None, _FUNCTION, _ARGUMENTS]):
                        end = masked.index(b'"', text + 1)
                        chars = [char.end() for char in _CHAR.finditer(raw, text + 1, end)]
                        told = msgspec.json.decode(raw[text : end + 1], type=str)
                        yield from (chars[cut - 1] for cut in self._inside(told))


def _values(
    raw: bytes, masked: bytes, at: int, steps: Sequence[Collection[str] | Collection[int] | None]
) -> Iterator[int]:
    """Where the texts begin that `steps` lead to from the value at `at`: keys, numbers of elements, or all of them.

    Where a text stands earlier on the way it is told instead; arrays and objects at its end are not.
    """
    if masked[at] == 0x22 or not steps:
        if masked[at] == 0x22:
            yield at
        return
    step, *rest = steps
    if masked[at] == 0x5B:
        for number, (start, _) in enumerate(elements(masked, at)):
            if step is None or number in step:
                yield from _values(raw, masked, start, rest)
    elif masked[at] == 0x7B:
        for name, start, _ in fields(raw, masked, at):
            if step is not None and name in step:
                yield from _values(raw, masked, start, rest)


def _first(raw: bytes, at: int, end: int) -> int:
    """Where the first character that is no blank begins in the text from `at` to `end`; its end, where it has none."""
    for char in _CHAR.finditer(raw, at + 1, end):
        if not msgspec.json.decode(b'"' + char[0] + b'"', type=str).isspace():
            return char.start()
    return end


def _text(part: Any) -> str:
    if isinstance(part, dict):
        sort = part.get("type")
        part = part.get(sort if sort == "refusal" or sort == "thinking" else "text")
    return part if isinstance(part, str) else ""


def _arguments(calls: Iterable[Any]) -> Iterator[str]:
    for call in calls:
        function = call.get("function") if isinstance(call, dict) else None
        text = function.get("arguments") if isinstance(function, dict) else None
        if isinstance(text, str):
            yield text
