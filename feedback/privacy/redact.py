"""The first redactor, before anything is stored: personal values give way to typed surrogates.

One value has one surrogate throughout an exchange (`<EMAIL_1>` in the question is `<EMAIL_1>` in
the reply). What is personal `finding.py` says.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from functools import lru_cache
from typing import Any

from feedback.events import Exchange, Exposure, Kpi
from feedback.privacy.detect import finding
from feedback.privacy.detect.secrets import LABEL

NAMES_SECRET = re.compile(LABEL + "$|(?:api|access|secret|private|session|auth)[_-]?key$|(?:secret|token)$", re.I)
"""Keys of JSON objects whose values are secrets, whatever they look like."""
NOTHING = re.compile("[a-z_]{1,20}")
"""A word alone, as names of fields are: too short for a key, and nothing follows it."""
ROLES = frozenset(("role", "type"))
"""Keys that say nothing of a value."""
BETWEEN = re.compile("[ .()-]")
"""What may stand or not between the parts of one number."""
OPAQUE = re.compile(r"(?:[a-z]{1,12}-)?(?=\d*[a-f])[0-9a-f]{16,64}|[a-z]{1,24}(?:-\d{1,4})?")
"""Ids that nobody could take for a person's: hexadecimal with a letter, or a word with a short number."""
REMEMBERED, REMEMBERED_LENGTH = 4096, 128
"""Names of units and sessions that were found to be no person's, and the characters of one: they come again."""


class Redactor:
    """Surrogates of one exchange. `found` counts the values replaced so far by type."""

    def __init__(self) -> None:
        self._names: dict[tuple[str, str], str] = {}
        self.found: dict[str, int] = {}

    def text(self, text: str) -> str:
        """`text` with personal values replaced."""
        if NOTHING.fullmatch(text):
            return text
        reading = finding.read(text)
        found = finding.values(reading)
        if not found:
            return text
        plain = reading.text
        done, kept = [], 0
        for one in found:
            done += [plain[kept : one.start], self._surrogate(one.kind, plain[one.start : one.end])]
            kept = one.end
        return "".join(done) + plain[kept:]

    def value(self, value: Any) -> Any:
        """A JSON value with its strings, whole numbers and keys redacted, and what a key calls a secret."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, list):
            return [self.value(item) for item in value]
        if isinstance(value, dict):
            return {(name := self.text(key)): self._of_key(name, item) for key, item in value.items()}
        return value

    def _of_key(self, key: str, value: Any) -> Any:
        if isinstance(value, bool) or not isinstance(value, str | int) or value == "":
            return self.value(value)
        if NAMES_SECRET.search(key):
            return self._surrogate("SECRET", str(value))
        if key in ROLES and isinstance(value, str) and NOTHING.fullmatch(value):
            return value
        label = f"{key}: "
        line = f"{label}{value}"
        if isinstance(value, int) and _harmless(line):
            return value
        done = self.text(line)
        return value if done == line else done.removeprefix(label)

    def _surrogate(self, kind: str, value: str) -> str:
        if value.startswith("<"):
            return value
        same = BETWEEN.sub("", value).lower() if kind in ("PHONE", "CARD", "IBAN") else value.lower()
        name = self._names.get((kind, same))
        if name is None:
            self.found[kind] = self.found.get(kind, 0) + 1
            name = self._names[kind, same] = f"<{kind}_{self.found[kind]}>"
        return name


@lru_cache(4096)
def _harmless(line: str) -> bool:
    """Whether nothing in a line is personal; asked of parameters such as `max_tokens: 200`, which come again."""
    return not finding.values(finding.read(line))


class Redaction:
    """What is done to the events of one state directory before they are stored; `key` is its secret."""

    def __init__(self, key: str) -> None:
        self._key = key.encode()
        self._harmless: set[str] = set()

    def exchange(self, exchange: Exchange) -> Exchange:
        """The exchange with surrogates, marked when there are any; its own id, versions and numbers stay."""
        redactor = Redactor()
        messages = redactor.value(exchange.messages)
        reply = redactor.text(exchange.reply)
        changed: dict[str, Any] = {}
        if redactor.found:
            changed = {"messages": messages, "reply": reply, "reply_tokens": None, "redacted": True}
        changed["params"] = redactor.value(exchange.params)
        for field in ("unit", "user", "session", "response_id"):
            if value := getattr(exchange, field):
                changed[field] = self.pseudonym(value)
        same = all(getattr(exchange, field) == value for field, value in changed.items())
        return exchange if same else exchange.model_copy(update=changed)

    def exposure(self, exposure: Exposure) -> Exposure:
        """The exposure that names its unit and session as the redacted exchange does."""
        unit, session = self.pseudonym(exposure.unit), self.pseudonym(exposure.session)
        same = (unit, session) == (exposure.unit, exposure.session)
        return exposure if same else exposure.model_copy(update={"unit": unit, "session": session})

    def kpi(self, kpi: Kpi) -> Kpi:
        """Feedback that names its session or response as the redacted exchange does."""
        head = "session:" if kpi.target.startswith("session:") else ""
        target = head + self.pseudonym(kpi.target.removeprefix(head))
        session = self.pseudonym(kpi.session)
        same = (session, target) == (kpi.session, kpi.target)
        return kpi if same else kpi.model_copy(update={"session": session, "target": target})

    def pseudonym(self, value: str) -> str:
        """`value`, or where it is personal itself a keyed hash, which nobody can find by trying all telephones."""
        if value in self._harmless or (OPAQUE.fullmatch(value) and not value.startswith("sk-")):
            return value
        if Redactor().text(value) == value:
            if len(value) <= REMEMBERED_LENGTH:
                self._remember(value)
            return value
        return "p-" + hmac.new(self._key, value.encode(), hashlib.sha256).hexdigest()[:32]

    def _remember(self, value: str) -> None:
        """Only what stays as it is, and so is stored in clear: what is personal is nowhere kept."""
        if len(self._harmless) >= REMEMBERED:
            self._harmless.clear()
        self._harmless.add(value)
