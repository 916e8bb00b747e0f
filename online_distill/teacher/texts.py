"""Which texts of a round are scored, in an order of which every beginning is balanced: pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from online_distill.data.config import DataConfig
from online_distill.data.encoding import Encoded, Encoder
from online_distill.data.rows import Row
from online_distill.teacher.targets import Scored, TopK

STUDENT_OFFSET = 0.3
"""Student texts begin after this share of the teacher texts: where time is short, teacher texts come first."""


@dataclass(frozen=True, slots=True)
class Text:
    """One text to score; `key` names row and side."""

    key: str
    encoded: Encoded
    weight: float
    messages: list[dict[str, Any]] = field(default_factory=list)
    """What was asked, for a teacher that answers anew."""
    known: bool = False
    """Whether the parent is asked for the targets, which gives this text itself."""
    tenant: str = "default"
    at: float = 0.0
    """Seconds since the epoch, when the tenant's exchange happened."""

    def scored(self, learned: Encoded, top: TopK) -> Scored:
        """The targets of what is learned instead of this text, which is the text itself where it could be forced."""
        tokens = np.array(learned.tokens, np.int32)
        return Scored(self.key, tokens, learned.start, self.weight, top, self.tenant, self.at)

    @property
    def row(self) -> str:
        """Id of the row that it is of."""
        return self.key.rpartition("/")[0]


def texts_of(rows: Sequence[Row], encoder: Encoder, config: DataConfig, *, student_texts: bool = True) -> list[Text]:
    """Teacher text of every row and, of hard ones, student text where there is another one, in order of scoring.

    Hard rows and replay take turns; what there is more of one of them comes after. Texts that the parent scores
    have no part in that and come last. Without `student_texts` there is nobody who could say how likely the student's
    own words are to the teacher: its text alone is learned from.
    """
    ordered: list[tuple[float, Text]] = []
    limits = {"max_length": config.max_length, "max_reply": config.max_reply}
    pace = max(1, sum(row.role == "hard" for row in rows))
    groups = (
        [row for row in rows if row.role == "hard"],
        [row for row in rows if row.role == "anchor" and not row.known],
        [row for row in rows if row.role == "anchor" and row.known],
    )
    for group in groups:
        for index, row in enumerate(group):
            place = math.inf if row.known else index / pace
            sides = [("teacher", row.teacher_text, row.teacher_tokens, place)]
            if student_texts and row.role == "hard" and row.student_text.strip() not in ("", row.teacher_text.strip()):
                sides.append(("student", row.student_text, None, place + STUDENT_OFFSET))
            for side, said, logged, turn in sides:
                encoded = encoder.encode(row.messages, said, cut=row.cut, logged=logged, **limits)
                if encoded is not None:
                    text = Text(
                        f"{row.id}/{side}", encoded, row.weight, row.messages, row.known, row.tenant, row.at
                    )  # fmt: skip
                    ordered.append((turn, text))
    return [text for _, text in sorted(ordered, key=lambda item: (item[0], item[1].key))]
