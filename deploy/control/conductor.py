"""The controller's loop: reports in, decisions by the steps, one routing document out when it changed.

All of it runs under one lock, on ticks a few times a second and at once when an operator asks.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

from deploy.control.acts import OperatorActs
from deploy.control.asked.errands import Errands
from deploy.control.asked.purging import TenantPurges
from deploy.control.context import ControlContext
from deploy.control.experiments import ExperimentStore, FileExperiments
from deploy.control.operations import Operations
from deploy.control.steps import ControlStep, takes_back, tick_steps
from deploy.life.canary import Canary
from deploy.life.config import GateConfig
from deploy.life.deployment import Deployment
from deploy.routing.document import RoutingDocument
from deploy.routing.stores import Routing
from understudy.clock import Clock, monotonic

TICK = 0.2
"""Seconds between ticks."""


class Conductor:
    """One leader's work: `tick` runs the steps, `acts` is what operators may do, `context` what both work on."""

    def __init__(
        self, deployment: Deployment, routing: Routing, gate: GateConfig, clock: Clock = monotonic,
        further: tuple[ControlStep, ...] = (),
    ) -> None:  # fmt: skip
        self.deployment = deployment
        self.routing = routing
        self.gate = gate
        self.experiments: ExperimentStore = FileExperiments(deployment.folder)
        self.context = ControlContext(deployment, routing, self.experiments, clock)
        self.context.document = routing.documents.read()
        self.context.stable_since = clock()
        self.operations = Operations(deployment)
        self.canary = Canary(deployment, gate)
        self.acts = OperatorActs(self.context, self.operations, self.canary, self.tick)
        self.errands = Errands(self.context)
        self.purges = TenantPurges(self.context, self.acts, self.errands)
        asked = (self.acts.carry_out, self.errands.go_on)
        self._steps = tick_steps(self.context, self.operations, self.canary, asked, further)

    @property
    def document(self) -> RoutingDocument | None:
        """The newest document."""
        return self.context.document

    def lead(self, fence: int, leads: Callable[[], bool] = lambda: True) -> None:
        """Decide under the number `fence` from now on; `leads` says whether this is the leader still.

        Raises:
            Unavailable: the state cannot be written under it.
        """
        with self.context.lock:
            self.context.fence, self.context.leads = fence, leads
            self.deployment.lead(fence)

    def tick(self) -> None:
        """Run every step once."""
        with self.context.lock, self._room():
            for step in self._steps:
                step(self.context)

    def _room(self) -> AbstractContextManager[None]:
        """Spend the reserve of a full disk on what takes a version back or brakes; on nothing else."""
        return self.context.deployment.reserve.spending() if takes_back(self.context) else nullcontext()
