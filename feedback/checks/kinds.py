"""What checks take and give."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, Protocol


@dataclass(frozen=True, slots=True)
class ReplyPair:
    """Two replies to the same messages. `lang` is `en` or `zh`; `greedy` when neither of them was sampled."""

    messages: list[dict[str, Any]]
    teacher: str
    student: str
    lang: str = "en"
    greedy: bool = False


@dataclass(frozen=True, slots=True)
class ReplySpan:
    """Characters `start` to `end` (exclusive) of a reply, and what is the matter there."""

    of: Literal["teacher", "student"]
    start: int
    end: int
    why: str = ""


@dataclass(frozen=True, slots=True)
class Cost:
    """What a finding took beyond a moment of this process: seconds waited for, and tokens of models asked."""

    seconds: float = 0.0
    tokens: int = 0


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check says: `score` in [0, 1] (1 is nothing to find fault with), and why and where it failed."""

    kind: str
    score: float
    failed: bool = False
    reasons: tuple[str, ...] = ()
    values: dict[str, float] = field(default_factory=dict)
    spans: tuple[ReplySpan, ...] = ()
    cost: Cost = Cost()


class Check(Protocol):
    """One kind of check with its thresholds and, where it needs one, its model; called from several threads."""

    @property
    def kind(self) -> str:
        """Of `feedback.events.CHECK_KINDS`; its findings are of this kind."""
        ...

    def __call__(self, pair: ReplyPair) -> Finding:
        """Judge a pair; the same pair gets the same finding."""
        ...
