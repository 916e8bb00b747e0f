"""What checks take and give."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

from feedback.events import CheckKind
from feedback.shadow.config import ShadowConfig


@dataclass(frozen=True, slots=True)
class ReplyPair:
    """Two replies to the same messages. `lang` is `en` or `zh`."""

    messages: list[dict[str, Any]]
    teacher: str
    student: str
    lang: str = "en"


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check says: `score` in [0, 1] (1 is full agreement), and why it failed."""

    kind: CheckKind
    score: float
    failed: bool = False
    reasons: tuple[str, ...] = ()
    values: dict[str, float] = field(default_factory=dict)


class Check(Protocol):
    """A pure function of a pair and the thresholds."""

    def __call__(self, pair: ReplyPair, config: ShadowConfig) -> Finding: ...
