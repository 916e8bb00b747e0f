"""Detectors of the six kinds of hard input, one module each: pure, quick, and silent when in doubt.

Here are the Protocol and the table. No models, no I/O.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from feedback.events import InputKind
from feedback.inputs import ambiguity, grammar, mixed_domain, multi_intent, nested, truncated
from feedback.texts import last_user

__all__ = ["DETECTORS", "Detector", "input_kinds"]


class Detector(Protocol):
    """Whether the question `text` is of its kind; `first` says that nothing was said before it."""

    def __call__(self, text: str, *, first: bool) -> bool: ...


DETECTORS: dict[InputKind, Detector] = {
    "ambiguity": ambiguity.detect,
    "grammar": grammar.detect,
    "mixed_domain": mixed_domain.detect,
    "multi_intent": multi_intent.detect,
    "nested": nested.detect,
    "truncated": truncated.detect,
}
LONGEST = 4000
"""Characters that are looked at."""


def input_kinds(messages: Sequence[dict[str, Any]]) -> tuple[InputKind, ...]:
    """Kinds of the last question of the user."""
    text = last_user(messages)[:LONGEST]
    turns = sum(message.get("role") in ("user", "assistant") for message in messages)
    if not text.strip():
        return ()
    return tuple(kind for kind, detect in DETECTORS.items() if detect(text, first=turns <= 1))
