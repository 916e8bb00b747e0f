"""Surrogates of one exchange, made from what the former detectors find."""

from __future__ import annotations

import re
from typing import Any

from tests.feedback.privacy.oracle import finding
from tests.feedback.privacy.oracle.secrets import LABEL

NAMES_SECRET = re.compile(LABEL + "$|(?:api|access|secret|private|session|auth)[_-]?key$|(?:secret|token)$", re.I)
"""Keys of JSON objects whose values are secrets, whatever they look like."""


class Redactor:
    """Surrogates of one exchange. `found` counts the values replaced so far by type."""

    def __init__(self) -> None:
        self._names: dict[tuple[str, str], str] = {}
        self.found: dict[str, int] = {}

    def text(self, text: str) -> str:
        """`text` with personal values replaced."""
        plain = finding.plain(text)
        found = finding.find(plain)
        if not found:
            return text
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
        label = f"{key}: "
        line = f"{label}{value}"
        done = self.text(line)
        return value if done == line else done.removeprefix(label)

    def _surrogate(self, kind: str, value: str) -> str:
        if value.startswith("<"):
            return value
        same = re.sub(r"[ .()-]", "", value).lower() if kind in ("PHONE", "CARD", "IBAN") else value.lower()
        name = self._names.get((kind, same))
        if name is None:
            self.found[kind] = self.found.get(kind, 0) + 1
            name = self._names[kind, same] = f"<{kind}_{self.found[kind]}>"
        return name
