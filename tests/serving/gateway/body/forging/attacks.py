"""Requests whose every text tries to write a control token: whole, in halves, nested, overlapping, spelled oddly."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from typing import Any

from deploy.engines.splitting.placing import ROLES
from tests.serving.gateway.body.forging.families import ChatFamily

UNSEEN = "\u200b\u200c\u200d\u2060\ufeff\u00ad"
PLAIN = (
    "hello", "a < b | c > d", "<b>bold</b>", "你好，世界", "\n\n", " ", "\t", '"quoted"', "\\", "/",
    "👩\u200d👩\u200d👧", "e\u0301", "\\u003c", "{}", "[]", "سلام می\u200cخواهم", "\u2028", "K\u212a", "[x]", "<<",
    ">>", "|", "｜", "▁", "  ",
)  # fmt: skip


class HostileTexts:
    """Texts made of `tokens` by chance."""

    def __init__(self, tokens: Sequence[str], chance: random.Random) -> None:
        self._tokens, self._chance = tokens, chance
        self.said = 0

    def text(self) -> str:
        """A text of up to five pieces."""
        self.said += 1
        return "".join(self._piece() for _ in range(self._chance.randint(1, 5)))

    def name(self) -> str:
        """A name, now and then with a token in it."""
        return self._token() if self._chance.random() < 0.02 else "look_up"

    def role(self) -> str:
        """What might stand between the halves of a token, and is none of those that every template knows."""
        token, other = self._token(), self._token()
        role = self._chance.choice((
            token, token.strip("<|>[]/｜"), token[2:], token[2:] + other[:-2], token[1:] + "hi" + other[:-1], "poet",
            "critic_2", "审稿人", token[2:-2].upper(),
        ))  # fmt: skip
        return "poet" if role in ROLES else role

    def parts(self, count: int) -> list[str]:
        """A text in `count` parts, some of them cut within a token, with blanks around."""
        chance = self._chance
        token = self._token()
        text = self.text() + token + self.text()
        inside = range(text.find(token) + 1, text.find(token) + len(token))
        cuts = sorted(chance.choice(inside) if chance.random() < 0.8 else chance.randrange(len(text) + 1)
                      for _ in range(count - 1))  # fmt: skip
        parts = [text[start:end] for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True)]
        return [chance.choice(("", "", " ", "\n ")) + part + chance.choice(("", "", " ", "\t")) for part in parts]

    def arguments(self) -> str:
        """A tool call's arguments: an object as JSON text, its characters spelled by chance."""
        return spelled({"a": self.text(), self.text(): [self.text()]}, self._chance)

    def _token(self) -> str:
        return self._chance.choice(self._tokens)

    def _piece(self) -> str:
        chance = self._chance
        if chance.random() < 0.35:
            return chance.choice(PLAIN)
        token, other = self._token(), self._token()
        at, to = chance.randrange(len(token)), chance.randrange(len(other))
        return chance.choice((
            token, token, token[:at] + chance.choice(UNSEEN) + token[at:], token[:at] + other + token[at:],
            token[:at] + token + token[at:], token[:-1] + other, token + other[1:], token[:at] + other[to:], token[at:],
            token[:at], token[0] + token, token + token[-1], token[:at] + " " + token[at:], token.upper(),
            token.replace("<", "＜").replace("[", "［"), token.replace("<", "&lt;"), token + "\u0338",
            json.dumps(token, ensure_ascii=True)[1:-1].replace("<", "\\u003c").replace("[", "\\u005b"),
        ))  # fmt: skip


class HarmlessTexts:
    """Texts for a request of the same shape, in which nothing is a token."""

    def text(self) -> str:
        """A letter."""
        return "x"

    def name(self) -> str:
        """A name."""
        return "look_up"

    def role(self) -> str:
        """A role that no template knows."""
        return "poet"

    def parts(self, count: int) -> list[str]:
        """As many letters."""
        return ["x"] * count

    def arguments(self) -> str:
        """Arguments of two keys."""
        return '{"a": "x", "b": ["x"]}'


def request(family: ChatFamily, shape: random.Random, say: HostileTexts | HarmlessTexts) -> dict[str, Any]:
    """A chat's body, its shape by `shape` alone, its texts by `say`."""
    messages: list[dict[str, Any]] = []
    if shape.random() < 0.5:
        messages.append({"role": "system", "content": _content(shape, say, 1)})
    for _ in range(shape.randint(1, 3)):
        role = say.role() if shape.random() < 0.04 else "user"
        messages.append({"role": role, "content": _content(shape, say, shape.choice((0, 0, 1, 2, 3)))})
        if family.tools and shape.random() < 0.4:
            call = {"id": "call_1", "type": "function", "function": {"name": say.name(), "arguments": say.arguments()}}
            messages.append({"role": "assistant", "content": say.text(), "tool_calls": [call]})
            messages.append({"role": "tool", "tool_call_id": "call_1", "content": _content(shape, say, 0)})
        messages.append({"role": "assistant", "content": _content(shape, say, shape.choice((0, 0, 2)))})
    body: dict[str, Any] = {"model": "auto", "messages": messages}
    if family.tools and shape.random() < 0.4:
        held = {"type": "object", "properties": {"q": {"type": "string", "description": say.text()}}}
        function = {"name": say.name(), "description": say.text(), "parameters": held}
        body["tools"] = [{"type": "function", "function": function}]
    if family.documents and shape.random() < 0.5:
        body["documents"] = [{"title": say.text(), "text": say.text()} for _ in range(shape.randint(1, 2))]
    if family.documents and shape.random() < 0.5:
        body["chat_template_kwargs"] = {"controls": {"length": say.text()}, "today": say.text()}
    return body


def _content(shape: random.Random, say: HostileTexts | HarmlessTexts, parts: int) -> str | list[Any]:
    """A content as one text, or in so many parts, some of which are no objects or no texts."""
    if not parts:
        return say.text()
    made: list[Any] = []
    for text in say.parts(parts):
        how = shape.random()
        made.append(
            text if how < 0.1 else {"text": text, "type": "text"} if how < 0.5 else {"type": "text", "text": text}
        )
        if shape.random() < 0.1:
            made.append({"type": "text", "text": shape.choice(("", " "))})
    return made


def spelled(value: object, chance: random.Random) -> str:
    """`value` as JSON text; a third of its strings with each character in one of its spellings."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{spelled(key, chance)}: {spelled(held, chance)}" for key, held in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(spelled(held, chance) for held in value) + "]"
    if not isinstance(value, str) or chance.random() < 0.67:
        return json.dumps(value, ensure_ascii=chance.random() < 0.5)
    return '"' + "".join(_char(char, chance) for char in value) + '"'


def _char(char: str, chance: random.Random) -> str:
    escaped = json.dumps(char, ensure_ascii=True)[1:-1]
    plain = json.dumps(char, ensure_ascii=False)[1:-1]
    ways: list[Callable[[], str]] = [lambda: plain, lambda: escaped]
    if ord(char) < 0x10000:
        ways += [lambda: f"\\u{ord(char):04x}", lambda: f"\\u{ord(char):04X}"]
    if char == "/":
        ways.append(lambda: "\\/")
    return chance.choice(ways)()
