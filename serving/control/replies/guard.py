"""The guard's rules as the control plane tells of them."""

from __future__ import annotations

from pydantic import Field

from deploy.routing.guarding import GuardRules
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
