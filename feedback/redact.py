"""The first redactor, before anything is stored: personal values give way to typed surrogates.

One value has one surrogate throughout an exchange (`<EMAIL_1>` in the question is `<EMAIL_1>` in
the reply). What is personal stands in `personal.py`.
"""

from __future__ import annotations

import re
from functools import partial
from typing import Any

from feedback.events import Exchange, Kpi
from feedback.personal import HINT, PASSWORD, RULES, SHOP, WIDE, Rule
from understudy.ids import stable_id

NAMES_SECRET = re.compile(PASSWORD + "$|(?:api|access|secret|private)_?key$|(?:secret|token)$", re.I)
"""Keys of JSON objects whose values are secrets, whatever they look like."""


class Redactor:
    """Surrogates of one exchange. `found` counts the values replaced so far by type."""

    def __init__(self) -> None:
        self._names: dict[tuple[str, str], str] = {}
        self.found: dict[str, int] = {}

    def text(self, text: str) -> str:
        """`text` with personal values replaced."""
        if not HINT.search(text):
            return text
        plain = done = text.translate(WIDE)
        for rule in RULES:
            done = rule.pattern.sub(partial(self._replace, rule), done)
        return text if done == plain else done

    def value(self, value: Any) -> Any:
        """A JSON value with every string in it redacted, and what a key calls a password; keys stay."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, list):
            return [self.value(item) for item in value]
        if isinstance(value, dict):
            return {key: self._of_key(key, item) for key, item in value.items()}
        return value

    def _of_key(self, key: str, value: Any) -> Any:
        if NAMES_SECRET.search(key) and isinstance(value, str | int) and not isinstance(value, bool) and value != "":
            return self._surrogate("SECRET", str(value))
        return self.value(value)

    def _replace(self, rule: Rule, match: re.Match[str]) -> str:
        group = 1 if match.re.groups else 0
        value, (start, end), offset = match.group(group), match.span(group), match.start()
        own = rule.numbered and SHOP.search(match.string, max(0, start - 40), start)
        if own or value.startswith("<") or not rule.valid(value):
            return match.group(0)
        whole = match.group(0)
        return whole[: start - offset] + self._surrogate(rule.kind, value) + whole[end - offset :]

    def _surrogate(self, kind: str, value: str) -> str:
        if value.startswith("<"):
            return value
        same = re.sub(r"[ .()-]", "", value).lower() if kind in ("PHONE", "CARD", "IBAN") else value.lower()
        name = self._names.get((kind, same))
        if name is None:
            self.found[kind] = self.found.get(kind, 0) + 1
            name = self._names[kind, same] = f"<{kind}_{self.found[kind]}>"
        return name


def redact_exchange(exchange: Exchange) -> Exchange:
    """The exchange with surrogates, marked when there are any; ids, versions and numbers stay.

    The unit and the user id are hashed where they hold a personal value themselves.
    """
    redactor = Redactor()
    messages = redactor.value(exchange.messages)
    reply = redactor.text(exchange.reply)
    changed: dict[str, Any] = {}
    if redactor.found:
        changed = {"messages": messages, "reply": reply, "redacted": True}
    for field in ("unit", "user", "session"):
        value = getattr(exchange, field)
        if value and (hashed := pseudonym(value)) != value:
            changed[field] = hashed
    params = redactor.value(exchange.params)
    if params != exchange.params:
        changed["params"] = params
    return exchange.model_copy(update=changed) if changed else exchange


def redact_kpi(kpi: Kpi) -> Kpi:
    """Feedback whose session, and target where that is a session, are those of the redacted exchange."""
    head, session, target = kpi.target.partition("session:")
    if not head and session:
        return kpi.model_copy(update={"session": pseudonym(kpi.session), "target": session + pseudonym(target)})
    return kpi


def pseudonym(value: str) -> str:
    """`value`, or a hash of it where it is an e-mail address, a number of a person or the like."""
    return value if Redactor().text(value) == value else "p-" + stable_id("pseudonym", value)
