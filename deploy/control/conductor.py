"""The controller's loop: reports in, decisions by the parts, one routing document out when it changed.

All of it runs under one lock, on ticks a few times a second and at once when an operator asks.
"""

from __future__ import annotations

import threading
from typing import Any, Literal

from ab.experiment import Experiment
from deploy.control.experiments import ExperimentStore
from deploy.control.operations import Damaged, Operations
from deploy.life.canary import Canary, round_to
from deploy.life.config import GateConfig
from deploy.life.deployment import Deployment
from deploy.life.document import build, reason, same
from deploy.life.rollout import allows
from deploy.life.state import Freeze, Operation
from deploy.routing.document import EXTERNAL, STUDENT_SLOTS, RoutingDocument, SlotView
from deploy.routing.stores import Routing
from understudy.clock import Clock, monotonic
from understudy.errors import Conflict, IntegrityError, NotFound, Unavailable

TICK = 0.2
"""Seconds between ticks."""
FOLLOW = 30.0
"""Seconds after which a round counts as live although a gateway does not follow."""


class Conductor:
    """One leader's work. `fence` is the lease's number, kept up by the caller; `clock` measures what has passed."""

    def __init__(self, deployment: Deployment, routing: Routing, gate: GateConfig, clock: Clock = monotonic) -> None:
        self.deployment = deployment
        self.routing = routing
        self.experiments = ExperimentStore(deployment.folder)
        self.fence = 0
        self.stopping = threading.Event()
        self._clock = clock
        self._lock = threading.RLock()
        self._busy = threading.Lock()
        self._canary = Canary(deployment, gate)
        self._operations = Operations(deployment)
        self._document = routing.documents.read()
        self._outrun = self._document is not None and self._highest_epoch() > self._document.epoch
        self._since = self._clock()
        self._views: dict[str, tuple[float, SlotView]] = {}

    @property
    def document(self) -> RoutingDocument | None:
        """The newest document."""
        return self._document

    def unaudited(self) -> dict[str, str]:
        """{"warning"} for an answer while something that happened is not in the audit log, else nothing."""
        why = self.deployment.audit.trouble
        return {"warning": f"done, but not in the audit log yet: {why}"} if why else {}

    def tick(self) -> None:
        """Read reports, decide, publish."""
        with self._lock:
            self.deployment.audit.settle()
            self.deployment.beats = self.routing.beats.slots()
            self._adopt()
            self._absorb_bad()
            self._replace_bad_stable()
            self._operations.tick()
            self._canary.tick()
            self.deployment.settle()
            self._publish()
            self._close_round()

    def change(self, *, freeze: Freeze | None = None, resume: Freeze | None = None, actor: str) -> tuple[Freeze, ...]:
        """Freeze or resume promotion, learning or the student, in the next document; returns the frozen.

        A freeze takes place although the audit log cannot be written (see `unaudited`).

        Raises:
            Unavailable: it cannot be written down; nothing changed.
        """
        with self._lock:
            frozen = [f for f in self.deployment.state.frozen if f not in (freeze, resume)]
            if freeze is not None:
                frozen.append(freeze)
                self.deployment.audit.keep("freeze", actor, what=freeze)
            else:
                self.deployment.audit.append("resume", actor, what=resume)
            self.deployment.change(frozen=tuple(frozen))
            self.tick()
            return self.deployment.state.frozen

    def apply(self, experiment: Experiment, actor: str) -> int:
        """Begin or replace an experiment; returns the epoch that carries it."""
        with self._lock:
            self.deployment.audit.append("experiment.applied", actor, experiment=experiment.model_dump(mode="json"))
            self.experiments.put(experiment)
            self.tick()
            return self._document.epoch if self._document is not None else 0

    def stop_experiment(self, name: str, actor: str) -> int:
        """Take an experiment away; returns the epoch without it.

        Raises:
            NotFound: there is none that was applied.
        """
        with self._lock:
            self.experiments.get(name)
            self.deployment.audit.append("experiment.stopped", actor, experiment=name)
            self.experiments.delete(name)
            self.tick()
            return self._document.epoch if self._document is not None else 0

    def abort_round(self, number: int | None, actor: str) -> dict[str, Any]:
        """End round `number`, or the one under way, as failed; its candidate, if it has one, is taken back.

        Returns {"round", "stage", "state", "candidate", "why"}, `stage` being where it was. A trainer that works on it
        stops at its next look.

        Raises:
            NotFound: there is no such round, or none under way.
            Conflict: it has ended, its candidate is live already, or is about to be.
            Unavailable: it cannot be written down; nothing changed.
        """
        with self._lock:
            rounds, state = self.deployment.rounds, self.deployment.state
            this = rounds.current() if number is None else rounds.get(number)
            if this is None:
                raise NotFound("no round is under way")
            if this.finished:
                raise Conflict(f"round {this.id} has ended already: {this.state}")
            coming = None if state.operation is None else state.operation.target
            if this.candidate is not None and this.candidate in (state.stable, coming):
                raise Conflict(f"{this.candidate} is live or about to be; `understudy rollback` takes it back")
            why = f"aborted by {actor}"
            self.deployment.audit.append(
                "round.aborted", actor, round=this.id, stage=this.state, candidate=this.candidate
            )
            if this.candidate is not None:
                self._canary.withdraw(this.candidate, why, actor)
            ended = rounds.fail(this.id, {"error": why, "why": why, "decided_by": actor})
            self.tick()
            return {
                "round": this.id, "stage": this.state, "state": ended.state, "candidate": this.candidate, "why": why,
            }  # fmt: skip

    def perform(self, kind: Literal["rollback", "promote"], target: str | None, actor: str) -> dict[str, Any]:
        """Roll back or promote, and wait until the live gateways follow.

        Returns {"from", "to", "epoch", "seconds", "follow_seconds"}, the latter from the new epoch until the last
        live gateway has it; "behind" where gateways did not follow in time; "warning" where a rollback could not be
        recorded.

        Raises:
            Conflict: another one is under way, or the target cannot go live.
            Unavailable: the target did not load, or the decision cannot be written; the former arrangement stands.
        """
        if not self._busy.acquire(blocking=False):
            raise Conflict("a rollback or promotion is under way; wait until it has ended")
        try:
            begun = self._clock()
            operation = self._begin(kind, target, actor)
            epoch = self._await_epoch(operation)
            written = self._clock()
            behind = self._await_gateways(epoch, written)
            now = self._clock()
            answer = {
                "from": operation.source, "to": operation.target, "epoch": epoch,
                "seconds": round_to(now - begun), "follow_seconds": round_to(now - written),
            }  # fmt: skip
            self.deployment.audit.keep(f"{kind}.done", actor, **answer, behind=behind)
            return {**answer, **({"behind": behind} if behind else {}), **self.unaudited()}
        finally:
            self._busy.release()

    def _begin(self, kind: Literal["rollback", "promote"], target: str | None, actor: str) -> Operation:
        """Begin; a version that turns out to be damaged is bad from now on. A bare rollback tries the next one."""
        with self._lock:
            while True:
                try:
                    operation = self._operations.begin(kind, target, actor)
                except Damaged as error:
                    self._mark_bad(error.version, error.message)
                    if target is not None or not self.deployment.state.previous:
                        raise
                    continue
                self.tick()
                return operation

    def _adopt(self) -> None:
        """Where nothing was decided yet the newest student that verifies is stable, older ones are former."""
        state = self.deployment.state
        if state.teacher == EXTERNAL and self.deployment.settings.teacher is None:
            teachers = [m.version for m in self.deployment.registry.versions() if m.kind == "teacher"]
            if teachers:
                self.deployment.change(teacher=teachers[0])
        if state.stable is not None:
            return
        fit: list[str] = []
        for version in self.deployment.students():
            try:
                self.deployment.registry.verify(version)
            except IntegrityError as error:
                self._mark_bad(version, error.message)
                continue
            if self.deployment.state.record(version).state == "registered" and not self._in_round(version):
                fit.append(version)
        if fit:
            moves = [(fit[0], "adopted", "newest version at first start")]
            moves += [(version, "kept", "former version at first start") for version in fit[1:4]]
            self.deployment.change(*moves, stable=fit[0], previous=tuple(fit[1:4]), decided_by="first start")

    def _in_round(self, version: str) -> bool:
        current = self.deployment.rounds.current()
        return current is not None and current.candidate == version

    def _absorb_bad(self) -> None:
        for slot, beat in self.deployment.beats.items():
            for version, why in beat.bad.items():
                if version not in self.deployment.state.bad and slot in STUDENT_SLOTS:
                    self._mark_bad(version, f"{slot}: {why}")

    def _mark_bad(self, version: str, why: str) -> None:
        state = self.deployment.state
        bad = {**state.bad, version: why}
        canary = None if state.canary is not None and state.canary.version == version else state.canary
        previous = tuple(v for v in state.previous if v != version)
        moves = [(version, "unloadable", why)] if allows(state.record(version).state, "unloadable") else []
        self.deployment.change(*moves, bad=bad, canary=canary, previous=previous)

    def _replace_bad_stable(self) -> None:
        """A stable version that no slot can load gives way to a former one, one that is ready if possible."""
        state = self.deployment.state
        if state.stable is None or state.stable not in state.bad or self.deployment.ready(state.stable):
            return
        choice = sorted(state.previous, key=lambda v: not self.deployment.ready(v))
        if choice:
            rest = tuple(v for v in state.previous if v != choice[0])
            event = "restored" if allows(state.record(choice[0]).state, "restored") else "chosen"
            why = f"{state.stable} cannot be loaded"
            self.deployment.change((choice[0], event, why), stable=choice[0], previous=rest, decided_by="controller")

    def _publish(self) -> None:
        wanted = build(
            self.deployment.state,
            self.deployment.beats,
            self._former(),
            self.experiments.all(),
            self.deployment.settings,
        )
        if self._document is None or self._outrun or not same(self._document, wanted):
            why = "a newer one that cannot be read" if self._outrun else reason(self._document, wanted)
            epoch = 1 + self._highest_epoch()
            document = wanted.model_copy(
                update={"epoch": epoch, "created": round_to(self.deployment.clock()), "reason": why}
            )
            self.routing.documents.publish(document, self.fence)
            if self._document is None or self._document.stable != document.stable:
                self._since = self._clock()
            self._document, self._outrun = document, False
        outcome = self.deployment.state.outcome
        if outcome is not None and outcome.epoch is None and not outcome.error:
            self.deployment.change(outcome=outcome.model_copy(update={"epoch": self._document.epoch}))

    def _highest_epoch(self) -> int:
        """The highest epoch that anybody has seen; -1 before the first."""
        followed = [beat.epoch for beat in self.routing.beats.gateways()]
        return max(self.routing.documents.highest_epoch(), *followed, -1)

    def _former(self) -> dict[str, SlotView]:
        """Views of slots whose agent fell silent a short while ago, or while nobody could be heard."""
        now, deaf = self._clock(), not self.routing.beats.sees_all
        for slot, beat in self.deployment.beats.items():
            view = SlotView(url=beat.url, model=beat.model, version=beat.version, ready=beat.ready)
            self._views[slot] = (now, view)
        if deaf:
            self._views = {slot: (now, view) for slot, (_, view) in self._views.items()}
        grace = self.deployment.settings.rollout.slot_grace
        return {slot: view for slot, (seen, view) in self._views.items() if now - seen <= grace}

    def _close_round(self) -> None:
        current = self.deployment.rounds.current()
        if current is None or current.state != "live" or self._document is None:
            return
        waited = self._clock() - self._since
        if not self._behind(self._document.epoch) or waited > FOLLOW:
            self._canary.published(self._document.epoch, waited)
            self._archive()

    def _archive(self) -> None:
        """Move versions beyond the configured number out of the way."""
        state = self.deployment.state
        canary = [] if state.canary is None else [state.canary.version]
        kept = {state.stable, *state.previous, *canary, *state.slots.values()}
        spare = [
            m.version for m in self.deployment.registry.versions() if m.kind == "student" and m.version not in kept
        ]
        for version in spare[self.deployment.settings.rollout.keep_versions :]:
            self.deployment.change((version, "archived", "older than the versions that are kept"))
            self.deployment.registry.archive(version)

    def _await_epoch(self, operation: Operation) -> int:
        until = self._clock() + self.deployment.settings.rollout.operation_deadline + 5
        while self._clock() < until and not self.stopping.is_set():
            outcome = self.deployment.state.outcome
            if outcome is not None and outcome.id == operation.id:
                if outcome.error:
                    raise Unavailable(f"{operation.kind} failed: {outcome.error}")
                if outcome.epoch is not None:
                    return outcome.epoch
            self.stopping.wait(0.02)
        raise Unavailable(f"the {operation.kind} to {operation.target} goes on; see `understudy status`")

    def _behind(self, epoch: int) -> list[str]:
        """Gateways that do not route by `epoch` or a later one of ours; one above all of ours follows somebody else."""
        newest = max(epoch, -1 if self._document is None else self._document.epoch)
        return [beat.id for beat in self.routing.beats.gateways() if not epoch <= beat.epoch <= newest]

    def _await_gateways(self, epoch: int, written: float) -> list[str]:
        until = written + self.deployment.settings.rollout.follow_deadline
        while True:
            behind = self._behind(epoch)
            if not behind or self._clock() >= until or self.stopping.is_set():
                return behind
            self.stopping.wait(0.02)
