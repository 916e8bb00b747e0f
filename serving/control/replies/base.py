"""What all replies of the control plane share, and the refusal."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class ControlReply(BaseModel):
    """Base of all replies."""

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True, use_attribute_docstrings=True)


class ErrorDetail(ControlReply):
    """What was wrong, in words and as a stable name."""

    message: str
    type: str
    param: str | None
    code: str


class ErrorReply(ControlReply):
    """Every refusal."""

    error: ErrorDetail


class NotComputedReply(ControlReply):
    """A page that this release does not fill."""

    available: bool
    why: str
