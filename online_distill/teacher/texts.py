"""Which texts of a round are scored, in an order of which every beginning is balanced: pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from online_distill.data.config import DataConfig
from online_distill.data.encoding import Encoded, Encoder
from online_distill.data.rows import Row

STUDENT_OFFSET = 0.3
"""Student texts begin after this share of the teacher texts: where time is short, teacher texts come first."""


@dataclass(frozen=True, slots=True)
class Text:
    """One text to score; `key` names row and side."""

    key: str
    encoded: Encoded
    weight: float


def texts_of(rows: Sequence[Row], encoder: Encoder, config: DataConfig) -> list[Text]:
    """Teacher text of every row and, of hard ones, student text where it differs, in order of scoring."""
    ordered: list[tuple[float, Text]] = []
    for role in ("hard", "anchor"):
        chosen = [row for row in rows if row.role == role]
        for index, row in enumerate(chosen):
            place = index / len(chosen)
            sides = [("teacher", row.teacher_text, place)]
            if role == "hard" and row.student_text.strip() != row.teacher_text.strip():
                sides.append(("student", row.student_text, place + STUDENT_OFFSET))
            for side, text, at in sides:
                encoded = encoder.encode(row.messages, text, max_length=config.max_length, max_reply=config.max_reply)
                if encoded is not None:
                    ordered.append((at, Text(f"{row.id}/{side}", encoded, row.weight)))
    return [text for _, text in sorted(ordered, key=lambda item: (item[0], item[1].key))]
