"""The step that writes the routing document when what was decided, or what slots report, changed it."""

from __future__ import annotations

from deploy.control.context import ControlContext
from deploy.life.canary import round_to
from deploy.life.document import build, reason, same, told
from deploy.routing.document import SlotView
from deploy.routing.stores import Routing
from understudy.errors import Conflict


class Publish:
    """Remembers the views of slots whose agents fell silent, and whether somebody follows a document beyond ours."""

    def __init__(self, context: ControlContext) -> None:
        document = context.document
        self._outrun = document is not None and highest_epoch(context.routing) > document.epoch
        self._views: dict[str, tuple[float, SlotView]] = {}

    def __call__(self, context: ControlContext) -> None:
        """Build the document and write it where it differs; an operation that waits for its epoch is told.

        Raises:
            Conflict: another controller writes.
            Unavailable: it cannot be written; the former one stays in force.
        """
        deployment = context.deployment
        wanted = build(
            deployment.state, deployment.beats, self._former(context), context.experiments.all(), deployment.settings
        )
        anew = "a newer one that cannot be read" if self._outrun else self._anew(context)
        if context.document is None or anew or not same(context.document, wanted):
            why = anew or reason(context.document, wanted)
            created = round_to(deployment.clock())
            epoch = 1 + highest_epoch(context.routing)
            stamps = {"epoch": epoch, "created": created, "fence": context.fence, "audit": deployment.audit_head()}
            document = wanted.model_copy(update={**stamps, "reason": why})
            if not context.leads():
                raise Conflict("another controller leads now; this one stops writing")
            context.routing.documents.publish(document, context.fence)
            if context.document is None or context.document.stable != document.stable:
                context.stable_since = context.clock()
            context.document, self._outrun = document, False
        outcome = deployment.state.outcome
        if outcome is not None and outcome.epoch is None and not outcome.error:
            deployment.change(outcome=outcome.model_copy(update={"epoch": context.document.epoch}))

    def _anew(self, context: ControlContext) -> str:
        """Why the document in force is written again although it routes alike: a former leader's no longer counts."""
        document = context.document
        return "a new leader" if document is not None and document.fence < context.fence else ""

    def _former(self, context: ControlContext) -> dict[str, SlotView]:
        """Views of slots whose agent fell silent a short while ago, or while nobody could be heard."""
        now, deaf = context.clock(), not context.routing.beats.sees_all
        for slot, beat in context.deployment.beats.items():
            self._views[slot] = (now, told(beat))
        if deaf:
            self._views = {slot: (now, view) for slot, (_, view) in self._views.items()}
        grace = context.deployment.settings.rollout.slot_grace
        return {slot: view for slot, (seen, view) in self._views.items() if now - seen <= grace}


def highest_epoch(routing: Routing) -> int:
    """The highest epoch that anybody has seen, stores and gateways; -1 before the first."""
    return max(routing.documents.highest_epoch(), *(beat.epoch for beat in routing.beats.gateways()), -1)
