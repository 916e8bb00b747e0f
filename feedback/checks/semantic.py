"""Whether both replies say the same: overlap of tokens, and of character n-grams.

A first measure without a model: the mean of the F1 of tokens and the cosine of n-gram counts.
It is exact for copies, degrades with rewording, and does not see a negation (`logic` does).
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import ClassVar

from feedback.checks.kinds import Finding, ReplyPair
from feedback.events import CheckKind
from feedback.texts import normal, tokens


@dataclass(frozen=True, slots=True)
class Semantic:
    """Fails below the similarity `threshold`; the score is the similarity."""

    threshold: float
    kind: ClassVar[CheckKind] = "semantic"

    def __call__(self, pair: ReplyPair) -> Finding:
        """See `Check`."""
        score = similarity(pair.teacher, pair.student)
        failed = score < self.threshold
        reasons = (f"similarity {score:.2f} is below {self.threshold:.2f}",) if failed else ()
        return Finding(self.kind, score, failed, reasons)


def similarity(one: str, other: str) -> float:
    """Similarity in [0, 1]; 1 for the same text, 0 when exactly one of them is empty."""
    a, b = tokens(one), tokens(other)
    if not a or not b:
        return float(normal(one) == normal(other))
    return (token_f1(a, b) + cosine(grams(one), grams(other))) / 2


def token_f1(a: list[str], b: list[str]) -> float:
    """F1 of two bags of tokens; 1 for two without any, such as texts of signs alone."""
    common = sum((Counter(a) & Counter(b)).values())
    return 2 * common / (len(a) + len(b)) if a or b else 1.0


def grams(text: str) -> Counter[str]:
    """Counts of character 2- and 3-grams."""
    plain = f" {normal(text)} "
    return Counter(plain[i : i + n] for n in (2, 3) for i in range(len(plain) - n + 1))


def cosine(a: Counter[str], b: Counter[str]) -> float:
    """Cosine of two vectors of counts, damped by the square root."""
    dot = sum(math.sqrt(n * b[gram]) for gram, n in a.items() if gram in b)
    return min(1.0, dot / math.sqrt(a.total() * b.total()))
