"""Whether the replies contradict each other: same unit but other numbers, dates, or a negation.

Of greedy replies every fact in which they differ counts, see `evidence`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar

from feedback.checks.evidence import ALIKE, evidence, shown
from feedback.checks.facts import facts
from feedback.checks.kinds import Finding, ReplyPair
from feedback.checks.semantic import token_f1
from feedback.events import CheckKind
from feedback.texts import normal, prompt_text, tokens

NEGATION = re.compile(
    r"\b(?:not|no|never|cannot|can't|won't|don't|doesn't|didn't|isn't|aren't|wasn't|unable|without|nobody|nothing)\b"
    r"|(?:不(?!仅|但|过|客气|好意思|用谢)|没有|没法|无法|未能|别|非)"
)


@dataclass(frozen=True, slots=True)
class Logic:
    """Fails on a contradiction and, of greedy replies, on another fact; the score is the share of units that agree."""

    kind: ClassVar[CheckKind] = "logic"

    def __call__(self, pair: ReplyPair) -> Finding:
        """See `Check`."""
        reasons, score = conflicts(pair.teacher, pair.student)
        if pair.greedy and not reasons:
            reasons = evidence(prompt_text(pair.messages), pair.teacher, pair.student)
            score = score if not reasons else 0.0
        return Finding(self.kind, score, bool(reasons), tuple(reasons))


def conflicts(teacher: str, student: str) -> tuple[list[str], float]:
    """Contradictions in words, and the share of units with a value in both that agree (1 without any)."""
    ours, theirs = facts(teacher), facts(student)
    shared = sorted(set(ours) & set(theirs))
    reasons = [
        f"{unit}: the teacher says {shown(ours[unit])}, the student {shown(theirs[unit])}"
        for unit in shared
        if ours[unit] - theirs[unit] and theirs[unit] - ours[unit]
    ]
    score = 1 - len(reasons) / len(shared) if shared else 1.0
    if negations(teacher) % 2 != negations(student) % 2 and token_f1(tokens(teacher), tokens(student)) >= ALIKE:
        reasons.append("one reply negates what the other says")
        score = 0.0
    return reasons, score


def negations(text: str) -> int:
    """Number of negating words."""
    return len(NEGATION.findall(normal(text)))
