"""Who may learn from which real dialogue: a fixed split by dialogue id, the same on every machine."""

import hashlib
from typing import Literal

DialogueRole = Literal["both", "teacher_only", "judge"]

JUDGE_SHARE, TEACHER_ONLY_SHARE = 20, 30  # percent of the dialogues


def role(dialogue_id: str) -> DialogueRole:
    """The role of one dialogue: `judge` is kept from both models, `teacher_only` from the student."""
    digest = hashlib.sha256(f"understudy-split:{dialogue_id}".encode()).digest()
    bucket = int.from_bytes(digest[:4], "big") % 100
    if bucket < JUDGE_SHARE:
        return "judge"
    return "teacher_only" if bucket < JUDGE_SHARE + TEACHER_ONLY_SHARE else "both"
