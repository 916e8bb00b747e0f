"""Rows to judge a guard with: `{"text", "label": "attack" or "benign", "family", "system"?}`, one a line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from feedback.texts import language
from understudy.errors import UsageError

ROOT = Path(__file__).resolve().parents[2]
NAME = "guard_prompts.jsonl"
MADE = "made"
"""Kind of the rows that were made to be learned from, and judge nothing."""
Label = Literal["attack", "benign"]


@dataclass(frozen=True, slots=True)
class GuardRow:
    """A text and what it is; `system` is the system message before it, where it is an attack on that."""

    text: str
    label: Label
    family: str
    language: str
    system: str = ""
    meta: dict[str, Any] = field(default_factory=dict)

    @property
    def attack(self) -> bool:
        """Whether the row is labelled an attack."""
        return self.label == "attack"


def guard_rows(path: Path) -> list[GuardRow]:
    """All rows of a file of JSON lines.

    Raises:
        UsageError: the file cannot be read, or a line is no such row.
    """
    try:
        lines = path.read_text("utf-8").split("\n")
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror or error}; name a file of guard rows by --data") from None
    return list(_rows(path, lines))


def _rows(path: Path, lines: list[str]) -> Iterator[GuardRow]:
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            text, label, family = str(row["text"]), row["label"], str(row["family"])
            meta = dict(row.get("meta") or {})
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            wanted = '{"text", "label", "family", "system"?}'
            raise UsageError(f"{path}, line {number}: not a row {wanted} ({error!r})") from None
        if label not in ("attack", "benign"):
            raise UsageError(f"{path}, line {number}: label {label!r}, wanted attack or benign")
        system = str(row.get("system") or meta.get("system_prompt") or "")
        yield GuardRow(text, label, family, language(text), system, meta)
