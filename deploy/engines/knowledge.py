"""How much a student can learn of its teacher: found out by the trainer, shown by `status` and `doctor`."""

from __future__ import annotations

import contextlib
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from understudy.files import write_json
from understudy.state import StateDir

KnowledgeLevel = Literal["logprobs", "replies", "text"]
"""`logprobs`: the teacher's likeliest tokens at each position of any text; `replies`: at each position of a reply that
it gives anew; `text`: what it said, and nothing else."""
FILE = "knowledge.json"


class Knowledge(BaseModel):
    """What `student` is taught from, by `teacher`."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    schema_version: Literal[1] = 1
    teacher: str = ""
    student: str = ""
    level: KnowledgeLevel = "logprobs"
    why: str = ""
    """Why it is no more; empty at the highest level."""
    width: int | None = None
    """Tokens at a position that the teacher tells of at most; None: as many as it is asked for."""
    identity: str = ""
    """What tells this teacher from others at the same address, where its version does not."""
    since: float = 0.0
    """Text from before (seconds since the epoch) is that of another teacher at the same address."""

    @property
    def said(self) -> str:
        """For people; empty at the highest level."""
        if self.level == "text":
            return f"by the teacher's text alone: {self.why}"
        return f"from log-probabilities of the teacher's own replies: {self.why}" if self.level == "replies" else ""


def read_knowledge(state: StateDir) -> Knowledge | None:
    """What the trainer found last; None where it has not yet."""
    with contextlib.suppress(OSError, ValidationError):
        return Knowledge.model_validate_json((state.registry / FILE).read_bytes())
    return None


def write_knowledge(state: StateDir, found: Knowledge) -> None:
    """Say what the trainer found."""
    write_json(state.registry / FILE, found.model_dump(mode="json"))
