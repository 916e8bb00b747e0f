"""Thresholds of the checks. In the file they stand in the section `shadow`, whose model inherits them."""

from __future__ import annotations

from pydantic import Field

from understudy.config import Section


class ChecksConfig(Section):
    """When a check fails."""

    semantic_threshold: float = Field(default=0.8, ge=0, le=1)
    """A pair fails the semantic check below this similarity."""
    quality_margin: float = Field(default=0.35, ge=0)
    """A pair fails the quality check when the student's score is below the teacher's by more than this."""
