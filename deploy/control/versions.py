"""Steps that keep the list of versions true: the first stable one, or the one that learns to be it, damaged ones, those
that are too many."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from deploy.control.context import ControlContext
from deploy.life.deployment import Deployment, outdone
from deploy.life.rollout import allows
from deploy.registry.manifest import Manifest
from deploy.routing.document import EXTERNAL, STUDENT_SLOTS
from understudy.errors import IntegrityError, NotFound

log = logging.getLogger("understudy.controller")


class Adopt:
    """Gives arms to versions that nobody decided on; looks again when there are others, or what holds it up is over."""

    def __init__(self) -> None:
        self._seen: object = None
        self._told = False

    def __call__(self, context: ControlContext) -> None:
        """See the class."""
        deployment = context.deployment
        state = deployment.state
        busy = state.canary is not None or state.operation is not None or deployment.rounds.current() is not None
        found = (deployment.registry.names(), frozenset(state.bad), state.stable, state.unfit, state.frozen, busy)
        if found != self._seen:
            adopt(context)
            take_up(context)
            if state.stable is None:
                self._tell(deployment)
            self._seen = found

    def _tell(self, deployment: Deployment) -> None:
        """Say once that the student which the configuration names is not there, and which one has its place."""
        state, named = deployment.state, deployment.settings.rollout.first_student
        instead = f"{state.stable} is live" if state.stable else f"{state.unfit} learns" if state.unfit else ""
        if self._told or not instead or named is None:
            return
        archived = state.record(named).state == "archived"
        if archived or named not in deployment.registry.names():
            why = "archived" if archived else "not registered"
            log.warning("rollout.first_student names %s, which is %s: %s instead", named, why, instead)
            self._told = True


def adopt(context: ControlContext) -> None:
    """Where nothing was decided yet the newest student that verifies is stable, older ones are former; none unfit.

    Beside an unfit one that learns, a student that somebody imports is stable, but for while promotion is frozen.
    """
    deployment = context.deployment
    if deployment.state.teacher == EXTERNAL and deployment.settings.teacher is None:
        teachers = [m.version for m in deployment.registry.versions() if m.kind == "teacher"]
        named = deployment.settings.rollout.first_teacher
        if teachers:
            deployment.change(teacher=named if named in teachers else teachers[0])
    state = deployment.state
    held = state.canary is not None or state.operation is not None or "promotion" in state.frozen
    if state.stable is not None or (state.unfit is not None and held):
        return
    fit: list[str] = []
    for version in deployment.students():
        known = deployment.never_fit(version) or state.record(version).state != "registered"
        if known or _in_round(deployment, version):
            continue
        try:
            deployment.registry.verify(version)
        except IntegrityError as error:
            mark_bad(deployment, version, error.message)
            continue
        fit.append(version)
    named = deployment.settings.rollout.first_student
    fit.sort(key=lambda version: version != named)
    if fit:
        moves = [(fit[0], "adopted", "rollout.first_student" if fit[0] == named else "newest version at first start")]
        moves += [(version, "kept", "former version at first start") for version in fit[1:4]]
        moves = [*outdone(deployment.state, fit[0]), *moves]
        deployment.change(*moves, stable=fit[0], previous=tuple(fit[1:4]), decided_by="first start")


def take_up(context: ControlContext) -> None:
    """Where no student is stable, one that is unfit learns: of the cut that is named, else of the newest one.

    Another cut takes its turn between rounds; a line goes on where it was left.
    """
    deployment = context.deployment
    state = deployment.state
    busy = state.canary is not None or state.operation is not None or deployment.rounds.current() is not None
    if state.stable is not None or busy:
        return
    students = _students(deployment)
    cuts = [manifest.version for manifest in students if manifest.unfit]
    named = deployment.settings.rollout.first_student
    root = named if named in cuts else next(iter(cuts), None)
    if root is None or (state.unfit is not None and _line(deployment, state.unfit) in ("", root)):
        return
    version = _left(deployment, students, root)
    if not allows(state.record(version).state, "taken_up"):
        return
    try:
        deployment.registry.verify(version)
    except IntegrityError as error:
        mark_bad(deployment, version, error.message)
        return
    why = "the cut that rollout.first_student names" if root == named else "of the newest cut"
    moves = [*outdone(state, version), (version, "taken_up", f"it learns and answers nobody: {why}")]
    deployment.change(*moves, unfit=version, told={version: {"line": root}})


def absorb_bad(context: ControlContext) -> None:
    """What a student slot could not load or verify is bad from now on."""
    deployment = context.deployment
    for slot, beat in deployment.beats.items():
        for version, why in beat.bad.items():
            if version not in deployment.state.bad and slot in STUDENT_SLOTS:
                mark_bad(deployment, version, f"{slot}: {why}")


def replace_bad_stable(context: ControlContext) -> None:
    """A stable version that no slot can load gives way to a former one, one that is ready if possible, or to none."""
    deployment = context.deployment
    state = deployment.state
    if state.stable is None or state.stable not in state.bad or deployment.ready(state.stable):
        return
    choice = sorted(state.previous, key=lambda v: not deployment.ready(v))
    if choice:
        rest = tuple(v for v in state.previous if v != choice[0])
        event = "restored" if allows(state.record(choice[0]).state, "restored") else "chosen"
        why = f"{state.stable} cannot be loaded"
        deployment.change((choice[0], event, why), stable=choice[0], previous=rest, decided_by="controller")
    elif state.unfit is not None and allows(state.record(state.unfit).state, "taken_up"):
        why = f"{state.stable} cannot be loaded: the teacher answers alone"
        deployment.change((state.unfit, "taken_up", why), stable=None, decided_by="controller")


def _line(deployment: Deployment, version: str) -> str:
    """The cut that an unfit student comes from; empty where nobody knows any more."""
    if line := deployment.state.record(version).line:
        return line
    try:
        made = deployment.registry.manifest(version)
    except (NotFound, IntegrityError):
        return ""
    return version if made.unfit else _line(deployment, made.parent) if made.parent else ""


def _students(deployment: Deployment) -> list[Manifest]:
    """Those that are neither marked bad nor archived, newest first."""
    return [m for m in deployment.student_manifests() if deployment.state.record(m.version).state != "archived"]


def _left(deployment: Deployment, students: Sequence[Manifest], cut: str) -> str:
    """The version from which the line of a cut goes on: of `students` the last one that learned, or the cut itself."""
    aside = (m.version for m in students if deployment.state.record(m.version).state == "set_aside")
    return next((version for version in aside if _line(deployment, version) == cut), cut)


def mark_bad(deployment: Deployment, version: str, why: str) -> None:
    """Want `version` nowhere from now on; a canary of it ends."""
    state = deployment.state
    bad = {**state.bad, version: why}
    canary = None if state.canary is not None and state.canary.version == version else state.canary
    previous = tuple(v for v in state.previous if v != version)
    unfit = None if state.unfit == version else state.unfit
    moves = [(version, "unloadable", why)] if allows(state.record(version).state, "unloadable") else []
    deployment.change(*moves, bad=bad, canary=canary, previous=previous, unfit=unfit)


def archive_spare(deployment: Deployment) -> None:
    """Move versions beyond the configured number out of the way; each cut stays, and where its line goes on."""
    state = deployment.state
    canary = [] if state.canary is None else [state.canary.version]
    learns = [state.unfit, _line(deployment, state.unfit)] if state.unfit is not None else []
    students = _students(deployment)
    cuts = [m.version for m in students if m.unfit]
    left = [_left(deployment, students, cut) for cut in cuts if cut not in learns]
    kept = {state.stable, *state.previous, *learns, *cuts, *left, *canary, *state.slots.values()}
    spare = [m.version for m in deployment.registry.versions() if m.kind == "student" and m.version not in kept]
    for version in spare[deployment.settings.rollout.keep_versions :]:
        if deployment.state.record(version).state != "archived":  # else killed between both lines
            deployment.change((version, "archived", "older than the versions that are kept"))
        deployment.registry.archive(version)


def _in_round(deployment: Deployment, version: str) -> bool:
    """Whether a round made it and did not end with it live; so it was not approved, whatever else was lost."""
    return any(one.candidate == version and one.state != "done" for one in deployment.rounds.all())
