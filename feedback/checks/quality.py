"""How good a reply is as a turn of a dialogue: politeness, information density, guiding follow-up."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import ClassVar

from feedback.checks.kinds import Finding, ReplyPair
from feedback.events import CheckKind
from feedback.texts import normal, tokens

POLITE = re.compile(
    r"\b(?:please|thanks?|thank you|sorry|apolog\w+|welcome|glad|happy to|certainly|of course|sure|appreciate"
    r"|would you|could you|may i|hello|hi|dear)\b"
    r"|请|您|谢谢|感谢|抱歉|对不起|不好意思|不客气|麻烦|欢迎|很高兴|乐意|好的|你好|亲"
)
RUDE = re.compile(
    r"\b(?:shut up|stupid|idiot|not my problem|whatever|deal with it|your (?:own )?fault)\b"
    r"|闭嘴|笨|蠢|滚|烦死|活该|关我"
)
FOLLOW_UP = re.compile(
    r"\?|\b(?:let (?:me|us) know|anything else|feel free|if you (?:need|have|like)|you can also|next step)\b"
    r"|还有(?:什么|其他)|如(?:果|需|有).{0,12}(?:请|可以|联系)|随时|需要我|是否需要|吗$|呢$"
)
WEIGHTS = {"politeness": 0.25, "density": 0.55, "follow_up": 0.2}
FULL = 24
"""Distinct tokens at which a reply counts as fully informative."""


@dataclass(frozen=True, slots=True)
class Quality:
    """Fails when the student's score is below the teacher's by more than `margin`."""

    margin: float
    kind: ClassVar[CheckKind] = "quality"

    def __call__(self, pair: ReplyPair) -> Finding:
        """See `Check`."""
        teacher, student = score(pair.teacher), score(pair.student)
        gap = teacher - student
        failed = gap > self.margin
        reasons = (f"dialogue quality {student:.2f} against {teacher:.2f}",) if failed else ()
        values = {"teacher": teacher, "student": student}
        return Finding(self.kind, max(0.0, min(1.0, 1 - gap)), failed, reasons, values)


def score(text: str) -> float:
    """Quality of a reply in [0, 1]; 0 for an empty one."""
    return sum(weight * part for weight, part in zip(WEIGHTS.values(), parts(text), strict=True))


def parts(text: str) -> tuple[float, float, float]:
    """Politeness, density and follow-up, each in [0, 1]."""
    plain = normal(text)
    words = tokens(text)
    if not words:
        return 0.0, 0.0, 0.0
    polite = 0.0 if RUDE.search(plain) else min(1.0, 0.4 + 0.3 * len(POLITE.findall(plain)))
    distinct = len(set(words))
    variety = distinct / math.sqrt(len(words) * max(distinct, 1))
    density = min(1.0, math.log1p(distinct) / math.log1p(FULL)) * variety
    return polite, density, float(bool(FOLLOW_UP.search(plain)))
