"""The steps of a tick, in their order: reports in, decisions, one routing document out.

A step is called a few times a second with the context, under its lock, and does what is due at once; what takes long
belongs elsewhere. To add one, such as a watch for drift: write a function of the context, or an object with
`__call__` where it must remember something, and give it to `Conductor(further=...)`. It runs after all other
decisions and before slots are settled, so what it changes through `context.deployment.change` is in the same tick's
document. An error that it raises is logged, ends the tick, and the next tick begins anew.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from deploy.control.context import ControlContext
from deploy.control.operations import Operations
from deploy.control.publishing import Publish
from deploy.control.retention import prune
from deploy.control.versions import Adopt, absorb_bad, archive_spare, replace_bad_stable
from deploy.life.canary import Canary
from deploy.life.deployment import Note
from deploy.life.document import as_run, merged, share
from deploy.life.running.experiments import advanced, pinned_versions

log = logging.getLogger("understudy.controller")
ControlStep = Callable[[ControlContext], None]
REFILL = 5.0
"""Seconds between two looks whether the reserve of the disk is whole."""
PRUNE = 60.0
"""Seconds between two looks for what may go."""
FOLLOW = 30.0
"""Seconds after which a round counts as live although a gateway does not follow."""


def tick_steps(
    context: ControlContext, operations: Operations, canary: Canary, asked: tuple[ControlStep, ...],
    further: tuple[ControlStep, ...],
) -> tuple[ControlStep, ...]:  # fmt: skip
    """All steps of a tick; `asked` do what operators asked for and is not done yet."""
    return (
        Settle(),
        *asked,
        hear_slots,
        Adopt(),
        absorb_bad,
        replace_bad_stable,
        lambda _: operations.tick(),
        lambda _: canary.tick(),
        *further,
        begin_phases,
        settle_slots,
        Publish(context),
        lambda c: tell_outcome(c, operations),
        lambda c: close_round(c, canary),
        Prune(),
    )


class Prune:
    """Lets go of what retention does not keep, now and then."""

    def __init__(self) -> None:
        self._due = 0.0

    def __call__(self, context: ControlContext) -> None:
        """Prune when `PRUNE` seconds are over."""
        if context.clock() >= self._due:
            self._due = context.clock() + PRUNE
            if context.deployment.state.learner is not None:  # its rounds never end live
                archive_spare(context.deployment)
            prune(context.deployment, context.deployment.settings.registry)


class Settle:
    """Writes what the audit log could not take before, of this leader and, once, of the one before it."""

    def __init__(self) -> None:
        self._recovered = False
        self._refill = 0.0

    def __call__(self, context: ControlContext) -> None:
        """See the class."""
        if not self._recovered:
            context.deployment.recover()
            self._recovered = True
        context.deployment.tick()
        if context.clock() >= self._refill:
            self._refill = context.clock() + REFILL
            context.deployment.reserve.refill()


def takes_back(context: ControlContext) -> bool:
    """Whether what is to be written takes a version back or brakes: a rollback, a candidate that is out, a freeze."""
    state, document = context.deployment.state, context.document
    operation, outcome = state.operation, state.outcome
    if operation is not None or document is None:
        return operation is not None and operation.kind == "rollback"
    open_end = outcome is not None and outcome.kind == "rollback" and not outcome.told
    gone = document.candidate is not None and (state.canary is None or state.canary.version != document.candidate)
    rolled_back = gone and document.candidate != state.stable
    return open_end or rolled_back or not set(state.frozen) <= set(document.frozen)


def tell_outcome(context: ControlContext, operations: Operations) -> None:
    """Have the audit log say how an operation ended whose operator waits no more, as after a crash."""
    outcome = context.deployment.state.outcome
    if outcome is not None and outcome.epoch is not None and outcome.id != context.awaited:
        operations.tell(outcome)


def hear_slots(context: ControlContext) -> None:
    """Take the slots' latest reports."""
    context.deployment.beats = context.routing.beats.slots()


def begin_phases(context: ControlContext) -> None:
    """Begin a phase of each experiment of which something changed, and end those of experiments that were stopped.

    A pinned version that was never fit answers in none of them, whoever wrote the pin; log and audit log say so.
    """
    deployment = context.deployment
    state, settings = as_run(deployment.state, deployment.settings), deployment.settings
    active = merged(settings.router.experiments, context.experiments.all())
    at = round(deployment.clock(), 3)
    pins = {one.id: [v for v in pinned_versions(one) if deployment.barred(v)] for one in active}
    barred = {version for versions in pins.values() for version in versions}
    runs, pin, began = advanced(
        state, active, share(state, settings.rollout), at, deployment.elapsed(), deployment.evidence.p99, barred
    )
    if (runs, pin) == (deployment.state.experiments, deployment.state.pinned):
        return
    notes: list[Note] = []
    for name in began:
        phase, unfit = runs[name].phases[-1], ", ".join(pins[name])
        said = {"experiment": name, "phase": phase.number, "why": phase.why, **({"unfit": unfit} if unfit else {})}
        notes.append(("experiment.phase", "controller", said))
        if unfit:
            log.warning("the experiment %s pins %s, which was never fit and answers nobody", name, unfit)
    deployment.change(notes=notes, experiments=runs, pinned=pin)


def settle_slots(context: ControlContext) -> None:
    """Write down which slot holds what."""
    context.deployment.settle()


def close_round(context: ControlContext, canary: Canary) -> None:
    """End a round whose version is live once gateways follow, or have had their time; then archive what is spare."""
    current = context.deployment.rounds.current()
    if current is None or current.state != "live" or context.document is None:
        return
    waited = context.clock() - context.stable_since
    if not context.behind(context.document.epoch) or waited > FOLLOW:
        canary.published(context.document.epoch, waited)
        archive_spare(context.deployment)
