"""Configuration of shadow traffic and, in the same section of the file, of the checks."""

from __future__ import annotations

from pydantic import Field

from feedback.checks.config import ChecksConfig


class ShadowConfig(ChecksConfig):
    """Shadow traffic and the checks."""

    to_student: float = Field(default=0.5, ge=0, le=1)
    """Share of the exchanges answered by the teacher that the student is asked, too."""
    to_teacher: float = Field(default=0.5, ge=0, le=1)
    """Share of the exchanges answered by the student that the teacher is asked, too."""
    to_candidate: float = Field(default=0.5, ge=0, le=1)
    """Of the copies for the student: the share that asks the candidate while there is one."""
    concurrency: int = Field(default=2, ge=1)
    """Copies that a worker asks at once."""
    deadline: float = Field(default=20.0, gt=0)
    """Seconds."""
    default_temperature: float = Field(default=1.0, ge=0)
    """What requests without one are sampled at; above 0 both arms are asked anew, greedily."""
    max_running: int = Field(default=6, ge=1)
    """A copy waits (until its deadline; then it is dropped, counted) while the engine runs more than this."""
    max_tokens: int = Field(default=128, gt=0)
    """Longest reply to a copy."""
    queue: int = Field(default=256, gt=0)
    """Copies that wait; one more is dropped and counted."""
