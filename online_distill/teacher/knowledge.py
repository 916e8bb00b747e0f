"""How much of a teacher a student can learn from: pure, given what is known of both."""

from __future__ import annotations

from pathlib import Path

from deploy.engines.knowledge import Knowledge
from online_distill.data.encoding import apart_in

ONE_VOCABULARY = "soft targets need one vocabulary"


def of_folders(teacher: Path, student: Path) -> Knowledge:
    """What is known of a teacher whose version is here, by what both read text with."""
    apart = apart_in(teacher, student)
    why = f"{teacher.name} and {student.name} differ in {apart}, and {ONE_VOCABULARY}" if apart else ""
    return Knowledge(teacher=teacher.name, student=student.name, level="text" if apart else "logprobs", why=why)
