"""The guard's rules as the control plane tells of them."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from deploy.routing.guarding import GuardRules
from feedback.flagged.store import FlaggedEntry
from serving.control.replies.base import ControlReply


class GuardReply(ControlReply):
    """What the routing document says of the guard over the gateways' own settings."""

    rules: GuardRules
    """Empty where nothing was set."""
    epoch: int
    """That carries it; gateways follow within a second."""
    rule: str = Field(default="", description="Id of the exception that was made.")


class ReleasedReply(ControlReply):
    """Whose breaker was closed by hand; gateways follow within a second."""

    released: str


class FlaggedReply(ControlReply):
    """Requests that the guard flagged or degraded, and appeals, the latest first; no word of their texts."""

    entries: list[FlaggedEntry]


class FlaggedTextReply(ControlReply):
    """One of them with its text as it is kept, redacted; of an appeal on a request that is not held there is none."""

    entry: FlaggedEntry
    messages: list[dict[str, Any]] = Field(default_factory=list)
    reply: str = ""
    """Empty of a degraded request: no model saw it."""
    model: str = ""
    """As the client named it."""


class MarkedReply(ControlReply):
    """What an operator said of a flagged request, and what came of it."""

    id: str
    mark: str
    released: str = ""
    """The user whose breaker is closed."""
    rule: str = ""
    """The exception that was made for the user."""
