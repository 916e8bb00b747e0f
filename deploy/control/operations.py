"""Rollback and promotion by hand: one at a time, remembered over a crash, finished by a new epoch."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Literal

from deploy.life.canary import former
from deploy.life.deployment import Deployment, outdone
from deploy.life.rollout import BY_OPERATOR, allows
from deploy.life.state import Operation, OperationOutcome, VersionRecord
from understudy.errors import BadRequest, Conflict, IntegrityError, NotFound
from understudy.ids import random_id

Noted = Mapping[str, Any]
"""What the audit log keeps of an act beside what was done: why, and by whom."""
NOTHING_NOTED: Noted = MappingProxyType({})


class Damaged(IntegrityError):
    """A version that does not pass verification, by name."""

    def __init__(self, version: str, message: str) -> None:
        super().__init__(message)
        self.version = version


class Operations:
    """Begins operations and carries them through on ticks."""

    def __init__(self, deployment: Deployment) -> None:
        self._deployment = deployment

    def begin(
        self, kind: Literal["rollback", "promote"], target: str | None, actor: str, noted: Noted = NOTHING_NOTED,
        force: bool = False,
    ) -> Operation:  # fmt: skip
        """Start one.

        A rollback without a target goes to the latest former version that no rollback has left, so that two in a row
        go back by two; where there are only such, to the unfit student from which the line came, whereupon the teacher
        answers alone; without one, to the latest. `force` promotes a student that was never found fit.
        A rollback begins although the audit log cannot be written; a promotion does not.

        Raises:
            Conflict: another is under way, the target is marked bad, live already, or not fit and nothing forces it.
            Unavailable: state or audit log cannot be written; nothing changed.
            NotFound, BadRequest, Damaged: the target cannot be used; the message says why.
        """
        deployment = self._deployment
        if deployment.state.operation is not None:
            running = deployment.state.operation
            raise Conflict(f"a {running.kind} to {running.target} is under way; wait until it has ended")
        if deployment.settings.student is not None:
            raise Conflict("`engines.student` is run by somebody else, so there is no version of ours to go to")
        version = target if target is not None else self._latest_former()
        if self._to_teacher(kind, version):
            if deployment.state.stable is None and deployment.state.canary is None:
                raise Conflict("no student is live, so the teacher answers alone already")
        else:
            version = self._checked(version)
            self._check_fit(kind, version, force)
        operation = Operation(
            id=random_id(),
            kind=kind,
            source=deployment.state.stable,
            target=version,
            actor=actor,
            started=deployment.clock(),
            began=deployment.elapsed(),
        )
        frozen = deployment.state.frozen
        if kind == "rollback" and "promotion" not in frozen:
            frozen = (*frozen, "promotion")
        canary = deployment.state.canary
        moves = []
        if canary is not None and canary.version != version:
            moves = [(canary.version, "aborted", f"{kind} to {version} by {actor}")]
        if kind != "rollback":
            deployment.audit.check_open()
        begun = (f"{kind}.begun", actor, {"source": operation.source, "target": version, **noted})
        deployment.change(
            *moves, actor=actor, decided_by=BY_OPERATOR, notes=(begun,), operation=operation, frozen=frozen, canary=None
        )
        return operation

    def tick(self) -> None:
        """Switch when the target is ready; give up when it cannot become so."""
        operation = self._deployment.state.operation
        if operation is None:
            return
        bad = self._deployment.state.bad.get(operation.target)
        limit = self._deployment.settings.rollout.operation_deadline
        if self._to_teacher(operation.kind, operation.target):
            self._leave_student(operation)
        elif bad is not None:
            self._give_up(operation, f"{operation.target} cannot be served: {bad}")
        elif self._deployment.ready(operation.target):
            self._switch(operation)
        elif self._deployment.waited(operation.began) > limit:
            self._give_up(operation, f"{operation.target} was not loaded within {limit:g} s")

    def tell(self, how: OperationOutcome, **said: Any) -> None:
        """Have the audit log say, once, that an operation is over: its epoch is out."""
        if self._deployment.state.outcome == how and not how.told:
            done = {"from": how.source, "to": how.target, "epoch": how.epoch, **said}
            self._deployment.change(
                notes=((f"{how.kind}.done", how.actor, done),), outcome=how.model_copy(update={"told": True})
            )

    def _latest_former(self) -> str:
        state = self._deployment.state
        fit = [version for version in state.previous if version not in state.bad]
        if state.unfit is not None and all(version in state.left for version in fit):
            return state.unfit
        if not fit:
            raise Conflict("there is no former version to go back to; name one (`understudy versions` lists them)")
        return min(fit, key=lambda version: version in state.left)

    def _to_teacher(self, kind: str, version: str) -> bool:
        """Whether it is a rollback to the unfit student: nothing is to be loaded, since the teacher answers then."""
        return kind == "rollback" and version == self._deployment.state.unfit

    def _check_fit(self, kind: str, version: str, force: bool) -> None:
        if not self._deployment.never_fit(version) or (kind == "promote" and force):
            return
        if kind == "promote":
            hint = f"`understudy promote {version} --force` lets it answer all the same"
        else:
            hint = "a rollback goes to versions that were live, or to the unfit student that learned last"
        raise Conflict(f"{version} is unfit: it was never found to say what the teacher says; {hint}")

    def _checked(self, version: str) -> str:
        state = self._deployment.state
        if version == state.stable:
            raise Conflict(f"{version} is live already")
        if version in state.bad:
            raise Conflict(f"{version} is marked bad: {state.bad[version]}; it is never loaded again")
        try:
            manifest = self._deployment.registry.verify(version)
        except NotFound as error:
            raise NotFound(error.message, param="version") from None
        except IntegrityError as error:
            raise Damaged(version, error.message) from error
        if manifest.kind != "student":
            raise BadRequest(f"{version} is a {manifest.kind}; only student versions can go live", param="version")
        return version

    def _switch(self, operation: Operation) -> None:
        state = self._deployment.state
        event = "restored" if state.record(operation.target).state == "previous" else "chosen"
        moves = [(operation.target, event, f"{operation.kind} by {operation.actor}")]
        if state.stable is not None and allows(state.record(state.stable).state, "superseded"):
            moves.insert(0, (state.stable, "superseded", f"by {operation.target}"))
        never = self._deployment.never_fit(operation.target)
        caveats = _against(state.record(operation.target), never) if event == "chosen" else ()
        moves = [*outdone(state, operation.target), *moves]
        previous = former(state, operation.target)
        left = {*state.left, state.stable} if operation.kind == "rollback" else {*state.left}
        self._deployment.change(
            *moves,
            actor=operation.actor,
            decided_by=BY_OPERATOR,
            told={operation.target: {"caveats": caveats}},
            stable=operation.target,
            previous=previous,
            left=tuple(version for version in previous if version in left),
            operation=None,
            outcome=_outcome(operation),
        )

    def _leave_student(self, operation: Operation) -> None:
        """No student is live any more: the unfit one is what it was, and the version that is left is a former one."""
        state, unfit = self._deployment.state, operation.target
        moves, why = [], f"{operation.kind} by {operation.actor}: the teacher answers alone"
        left = None if state.stable == unfit else state.stable
        if left is not None and allows(state.record(left).state, "superseded"):
            moves = [(left, "superseded", why)]
        if allows(state.record(unfit).state, "taken_up"):
            moves.append((unfit, "taken_up", why))
        previous = tuple(version for version in former(state, unfit) if version != unfit)
        self._deployment.change(
            *moves, actor=operation.actor, decided_by=BY_OPERATOR, stable=None, previous=previous,
            left=tuple(version for version in previous if version in {*state.left, state.stable}), operation=None,
            outcome=_outcome(operation),
        )  # fmt: skip

    def _give_up(self, operation: Operation, why: str) -> None:
        was = self._deployment.state.record(operation.target).state
        moves = [(operation.target, "aborted", why)] if allows(was, "aborted") else []
        failed = (f"{operation.kind}.failed", "controller", {"target": operation.target, "why": why})
        self._deployment.change(*moves, notes=(failed,), operation=None, outcome=_outcome(operation, why))


def _against(record: VersionRecord, never_fit: bool) -> tuple[str, ...]:
    """What to say of a version that an operator promotes past gate or canary."""
    if never_fit:
        return ("promoted by force: it was never found fit",)
    if record.gate is not None and not record.gate.passed:
        return (f"promoted by hand, refused by the gate: {'; '.join(record.gate.reasons)}",)
    if record.state == "rolled_back":
        why = record.history[-1]["why"] if record.history else "no reason is on record"
        return (f"promoted by hand, taken back before: {why}",)
    if record.gate is None:
        return ("promoted by hand, judged by no gate",)
    return ("promoted by hand before its canary had ended: shadow pairs do not say what it loses",)


def _outcome(operation: Operation, error: str = "") -> OperationOutcome:
    return OperationOutcome(
        id=operation.id, kind=operation.kind, source=operation.source, target=operation.target, error=error,
        actor=operation.actor, told=bool(error),
    )  # fmt: skip
