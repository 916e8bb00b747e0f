"""What every step and every operator's act works on; it is changed under its lock alone."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from deploy.control.experiments import ExperimentStore
from deploy.life.deployment import Deployment
from deploy.routing.document import RoutingDocument
from deploy.routing.stores import Routing
from understudy.clock import Clock, monotonic


@dataclass(slots=True)
class ControlContext:
    """One leader's world. `clock` measures what has passed, in seconds."""

    deployment: Deployment
    routing: Routing
    experiments: ExperimentStore
    clock: Clock = monotonic
    fence: int = 0
    """The lease's number, kept up by the caller."""
    leads: Callable[[], bool] = lambda: True
    """Whether this is the leader still; asked before a document is written."""
    document: RoutingDocument | None = None
    """The newest document."""
    awaited: str = ""
    """Id of the operation that an operator waits for, and whose end the answer records."""
    stable_since: float = 0.0
    """When the document first named its stable version, by `clock`."""
    lock: threading.RLock = field(default_factory=threading.RLock)
    stopping: threading.Event = field(default_factory=threading.Event)

    def behind(self, epoch: int) -> list[str]:
        """Gateways that do not route by `epoch` or a later one of ours; one above all ours follows somebody else."""
        newest = max(epoch, -1 if self.document is None else self.document.epoch)
        return [beat.id for beat in self.routing.beats.gateways() if not epoch <= beat.epoch <= newest]
