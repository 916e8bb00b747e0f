"""What operators do: freeze and resume, experiments, rounds, rollback and promotion by hand; in force at once."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any, Literal

from ab.experiment import Experiment
from deploy.control.context import ControlContext
from deploy.control.operations import NOTHING_NOTED, Damaged, Noted, Operations
from deploy.control.versions import mark_bad
from deploy.life.canary import Canary, round_to
from deploy.life.deployment import Note
from deploy.life.state import AskedFor, Freeze, Operation
from deploy.routing.guard_change import GuardChange, changed
from deploy.routing.guarding import GuardRules
from understudy.errors import BadRequest, Conflict, NotFound, Unavailable, UnderstudyError
from understudy.ids import random_id

log = logging.getLogger("understudy.controller")
AGAIN = 5.0
"""Seconds after which what could not be done is tried again."""


class OperatorActs:
    """Acts of one leader's operators, from any thread; `tick` makes what they decide the next document."""

    def __init__(
        self, context: ControlContext, operations: Operations, canary: Canary, tick: Callable[[], None]
    ) -> None:
        self._context = context
        self._operations = operations
        self._canary = canary
        self._tick = tick
        self._busy = threading.Lock()
        self._again = 0.0

    def unaudited(self) -> dict[str, str]:
        """{"warning"} for an answer while something that happened is not in the audit log, else nothing."""
        why = self._context.deployment.audit.trouble
        return {"warning": f"done, but not in the audit log yet: {why}"} if why else {}

    def change(
        self, *, freeze: Freeze | None = None, resume: Freeze | None = None, actor: str, noted: Noted = NOTHING_NOTED
    ) -> tuple[Freeze, ...]:
        """Freeze or resume promotion, learning or the student, in the next document; returns the frozen.

        A freeze takes place although the audit log cannot be written (see `unaudited`).

        Raises:
            Unavailable: it cannot be written down; nothing changed.
        """
        with self._context.lock:
            frozen = [f for f in self._context.deployment.state.frozen if f not in (freeze, resume)]
            if freeze is not None:
                frozen.append(freeze)
            else:
                self._context.deployment.audit.check_open()
            note = ("resume" if freeze is None else "freeze", actor, {"what": freeze or resume, **noted})
            with self._context.deployment.reserve.spending() if freeze is not None else nullcontext():
                self._context.deployment.change(frozen=tuple(frozen), notes=(note,))
            self._tick()
            return self._context.deployment.state.frozen

    def set_guard(self, change: GuardChange, actor: str, noted: Noted = NOTHING_NOTED) -> tuple[GuardRules, str, int]:
        """Change what the routing document says of the guard.

        Returns its rules, the id of the exception that was made, if any, and the epoch that carries them.

        Raises:
            NotFound, BadRequest: see `changed`; nothing changed.
            Unavailable: it cannot be written down; nothing changed.
        """
        with self._context.lock:
            deployment = self._context.deployment
            made = random_id()[:8] if change.allow is not None else ""
            rules = changed(deployment.state.guard, change, deployment.clock(), made, str(noted.get("why", "")))
            deployment.audit.check_open()
            asked = change.model_dump(mode="json", exclude_defaults=True)
            said = {**asked, **({"rule": made} if made else {}), **noted}
            deployment.change(guard=rules, notes=(("guard.set", actor, said),))
            self._tick()
            epoch = self._context.document.epoch if self._context.document is not None else 0
            return rules or GuardRules(), made, epoch

    def apply(self, experiment: Experiment, actor: str, noted: Noted = NOTHING_NOTED) -> int:
        """Begin or replace an experiment; returns the epoch that carries it.

        Raises:
            Unavailable: it cannot be written down; the message says whether it follows.
        """
        wanted = experiment.model_dump(mode="json")
        with self._context.lock:
            self._context.experiments.check(experiment.id)
            wish = AskedFor(id=random_id(), act="apply", actor=actor, name=experiment.id, experiment=wanted)
            return self._intend(wish, "experiment.applied", {"experiment": wanted, **noted})

    def stop_experiment(self, name: str, actor: str, noted: Noted = NOTHING_NOTED) -> int:
        """Take an experiment away; returns the epoch without it.

        Raises:
            NotFound: there is none that was applied.
            Unavailable: see `apply`.
        """
        with self._context.lock:
            self._context.experiments.get(name)
            wish = AskedFor(id=random_id(), act="stop", actor=actor, name=name)
            return self._intend(wish, "experiment.stopped", {"experiment": name, **noted})

    def abort_round(self, number: int | None, actor: str, noted: Noted = NOTHING_NOTED) -> dict[str, Any]:
        """End round `number`, or the one under way, as failed; its candidate, if it has one, is taken back.

        Returns {"round", "stage", "state", "candidate", "why"}, `stage` being where it was. A trainer that works on it
        stops at its next look.

        Raises:
            NotFound: there is no such round, or none under way.
            Conflict: it has ended, its candidate is live already, or is about to be.
            Unavailable: see `apply`.
        """
        with self._context.lock:
            rounds, state = self._context.deployment.rounds, self._context.deployment.state
            this = rounds.current() if number is None else rounds.get(number)
            if this is None:
                raise NotFound("no round is under way")
            if this.finished:
                raise Conflict(f"round {this.id} has ended already: {this.state}")
            coming = None if state.operation is None else state.operation.target
            if this.candidate is not None and this.candidate in (state.stable, coming):
                raise Conflict(f"{this.candidate} is live or about to be; `understudy rollback` takes it back")
            said = {"round": this.id, "stage": this.state, "candidate": this.candidate, **noted}
            self._intend(AskedFor(id=random_id(), act="abort", actor=actor, round=this.id), "round.aborted", said)
            return {
                "round": this.id, "stage": this.state, "state": rounds.get(this.id).state,
                "candidate": this.candidate, "why": _why(actor),
            }  # fmt: skip

    def carry_out(self, _: ControlContext) -> None:
        """The step that does what an operator asked for of a controller that was killed, or of a disk without room."""
        if self._context.deployment.state.asked and self._context.clock() >= self._again:
            self._again = self._context.clock() + AGAIN
            try:
                self._do_all()
            except (OSError, UnderstudyError) as error:
                log.warning("what an operator asked for is not done yet: %s", error)

    def _intend(self, wish: AskedFor, action: str, said: dict[str, Any]) -> int:
        """Write down that it is wanted, with its audit entry in the same write; do it; the epoch that carries it."""
        deployment = self._context.deployment
        deployment.audit.check_open()
        deployment.change(notes=((action, wish.actor, said),), asked=(*deployment.state.asked, wish))
        try:
            self._do_all()
        except OSError as error:
            raise Unavailable(f"it is written down and follows when that can be: {error.strerror}") from error
        self._tick()
        return self._context.document.epoch if self._context.document is not None else 0

    def _do_all(self) -> None:
        deployment = self._context.deployment
        for wish in [one for one in deployment.state.asked if one.act in ("apply", "stop", "abort")]:
            notes: list[Note] = []
            try:
                self._do(wish)
            except (ValueError, BadRequest, NotFound) as error:  # no later try can do it
                notes = [(f"{wish.act}.failed", "controller", {"why": str(error)})]
            left = tuple(one for one in deployment.state.asked if one.id != wish.id)
            deployment.change(notes=notes, asked=left)

    def _do(self, wish: AskedFor) -> None:
        """The deed; done a second time it changes nothing."""
        rounds, experiments = self._context.deployment.rounds, self._context.experiments
        if wish.act == "apply":
            experiments.put(Experiment.model_validate(wish.experiment))
        elif wish.act == "stop":
            if any(one.id == wish.name for one in experiments.all()):
                experiments.delete(wish.name)
        else:
            this, why = rounds.get(wish.round), _why(wish.actor)
            if this.candidate is not None:
                self._canary.withdraw(this.candidate, why, wish.actor)
            if not this.finished:
                rounds.fail(this.id, {"error": why, "why": why, "decided_by": wish.actor})

    def perform(
        self, kind: Literal["rollback", "promote"], target: str | None, actor: str, noted: Noted = NOTHING_NOTED,
        force: bool = False,
    ) -> dict[str, Any]:  # fmt: skip
        """Roll back or promote, and wait until the live gateways follow. `force`: though the target was never fit.

        Returns {"from", "to", "epoch", "seconds", "follow_seconds"}, the latter from the new epoch until the last
        live gateway has it; "behind" where gateways did not follow in time; "caveats" where something is not known of
        the version, or was said against it; "warning" where a rollback could not be recorded.

        Raises:
            Conflict: another one is under way, or the target cannot go live.
            Unavailable: the target did not load, or the decision cannot be written; the former arrangement stands.
        """
        if not self._busy.acquire(blocking=False):
            raise Conflict("a rollback or promotion is under way; wait until it has ended")
        try:
            begun = self._context.clock()
            operation = self._begin(kind, target, actor, noted, force)
            epoch = self._await_epoch(operation)
            written = self._context.clock()
            behind = self._await_gateways(epoch, written)
            now = self._context.clock()
            answer = {
                "from": operation.source, "to": operation.target, "epoch": epoch,
                "seconds": round_to(now - begun), "follow_seconds": round_to(now - written),
            }  # fmt: skip
            self._tell(operation, {**answer, "behind": behind})
            caveats = list(self._context.deployment.state.record(operation.target).caveats)
            more = {"behind": behind, "caveats": caveats}
            return {**answer, **{name: what for name, what in more.items() if what}, **self.unaudited()}
        finally:
            self._context.awaited = ""
            self._busy.release()

    def _tell(self, operation: Operation, said: dict[str, Any]) -> None:
        """Have it in the audit log; where the disk is full, a later tick does."""
        with self._context.lock:
            outcome = self._context.deployment.state.outcome
            if outcome is not None and outcome.id == operation.id:
                with contextlib.suppress(Unavailable), self._context.deployment.reserve.spending():
                    self._operations.tell(outcome, **said)

    def _begin(
        self, kind: Literal["rollback", "promote"], target: str | None, actor: str, noted: Noted, force: bool
    ) -> Operation:
        """Begin; a version that turns out to be damaged is bad from now on. A bare rollback tries the next one."""
        room = self._context.deployment.reserve.spending() if kind == "rollback" else nullcontext()
        with self._context.lock, room:
            while True:
                try:
                    operation = self._operations.begin(kind, target, actor, noted, force)
                except Damaged as error:
                    mark_bad(self._context.deployment, error.version, error.message)
                    if target is not None or not self._context.deployment.state.previous:
                        raise
                    continue
                self._context.awaited = operation.id
                self._tick()
                return operation

    def _await_epoch(self, operation: Operation) -> int:
        until = self._context.clock() + self._context.deployment.settings.rollout.operation_deadline + 5
        while self._context.clock() < until and not self._context.stopping.is_set():
            outcome = self._context.deployment.state.outcome
            if outcome is not None and outcome.id == operation.id:
                if outcome.error:
                    raise Unavailable(f"{operation.kind} failed: {outcome.error}")
                if outcome.epoch is not None:
                    return outcome.epoch
            self._context.stopping.wait(0.02)
        raise Unavailable(f"the {operation.kind} to {operation.target} goes on; see `understudy status`")

    def _await_gateways(self, epoch: int, written: float) -> list[str]:
        until = written + self._context.deployment.settings.rollout.follow_deadline
        while True:
            behind = self._context.behind(epoch)
            if not behind or self._context.clock() >= until or self._context.stopping.is_set():
                return behind
            self._context.stopping.wait(0.02)


def _why(actor: str) -> str:
    return f"aborted by {actor}"
