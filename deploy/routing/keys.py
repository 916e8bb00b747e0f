"""Names of what this package keeps in Redis: routing, beats and the controller's lease; no other module builds one."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DeployKeys:
    """Key names under a prefix such as `us:`."""

    prefix: str = "us:"

    @property
    def document(self) -> str:
        """The routing document as JSON; also the channel that is told each new epoch."""
        return f"{self.prefix}routing"

    @property
    def epoch(self) -> str:
        """Epoch of the document, kept apart so that one that cannot be read still counts."""
        return f"{self.prefix}routing:epoch"

    @property
    def lease(self) -> str:
        """Owner of the controller's lease; expires."""
        return f"{self.prefix}controller:lease"

    @property
    def fence(self) -> str:
        """Number of the youngest leader."""
        return f"{self.prefix}controller:fence"

    @property
    def gateways(self) -> str:
        """Set of the names of gateways that reported."""
        return f"{self.prefix}gateways"

    @property
    def openings(self) -> str:
        """Stream of breakers of users that opened, or were closed by hand."""
        return f"{self.prefix}breaker:openings"

    def slot(self, name: str) -> str:
        """Beat of a slot; expires."""
        return f"{self.prefix}slot:{name}"

    def gateway(self, name: str) -> str:
        """Beat of a gateway; expires."""
        return f"{self.prefix}gateway:{name}"
