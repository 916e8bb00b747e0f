"""Steps that keep the list of versions true: the first stable one, damaged ones, those that are too many."""

from __future__ import annotations

from deploy.control.context import ControlContext
from deploy.life.deployment import Deployment
from deploy.life.rollout import allows
from deploy.routing.document import EXTERNAL, STUDENT_SLOTS
from understudy.errors import IntegrityError


def adopt(context: ControlContext) -> None:
    """Where nothing was decided yet the newest student that verifies is stable, older ones are former; none unfit."""
    deployment = context.deployment
    if deployment.state.teacher == EXTERNAL and deployment.settings.teacher is None:
        teachers = [m.version for m in deployment.registry.versions() if m.kind == "teacher"]
        named = deployment.settings.rollout.first_teacher
        if teachers:
            deployment.change(teacher=named if named in teachers else teachers[0])
    if deployment.state.stable is not None:
        return
    fit: list[str] = []
    for version in deployment.students():
        try:
            manifest = deployment.registry.verify(version)
        except IntegrityError as error:
            mark_bad(deployment, version, error.message)
            continue
        if manifest.unfit:
            continue
        if deployment.state.record(version).state == "registered" and not _in_round(deployment, version):
            fit.append(version)
    named = deployment.settings.rollout.first_student
    fit.sort(key=lambda version: version != named)
    if fit:
        moves = [(fit[0], "adopted", "rollout.first_student" if fit[0] == named else "newest version at first start")]
        moves += [(version, "kept", "former version at first start") for version in fit[1:4]]
        deployment.change(*moves, stable=fit[0], previous=tuple(fit[1:4]), decided_by="first start")


def absorb_bad(context: ControlContext) -> None:
    """What a student slot could not load or verify is bad from now on."""
    deployment = context.deployment
    for slot, beat in deployment.beats.items():
        for version, why in beat.bad.items():
            if version not in deployment.state.bad and slot in STUDENT_SLOTS:
                mark_bad(deployment, version, f"{slot}: {why}")


def replace_bad_stable(context: ControlContext) -> None:
    """A stable version that no slot can load gives way to a former one, one that is ready if possible."""
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


def mark_bad(deployment: Deployment, version: str, why: str) -> None:
    """Want `version` nowhere from now on; a canary of it ends."""
    state = deployment.state
    bad = {**state.bad, version: why}
    canary = None if state.canary is not None and state.canary.version == version else state.canary
    previous = tuple(v for v in state.previous if v != version)
    moves = [(version, "unloadable", why)] if allows(state.record(version).state, "unloadable") else []
    deployment.change(*moves, bad=bad, canary=canary, previous=previous)


def archive_spare(deployment: Deployment) -> None:
    """Move versions beyond the configured number out of the way."""
    state = deployment.state
    canary = [] if state.canary is None else [state.canary.version]
    kept = {state.stable, *state.previous, *canary, *state.slots.values()}
    spare = [m.version for m in deployment.registry.versions() if m.kind == "student" and m.version not in kept]
    for version in spare[deployment.settings.rollout.keep_versions :]:
        if deployment.state.record(version).state != "archived":  # else killed between both lines
            deployment.change((version, "archived", "older than the versions that are kept"))
        deployment.registry.archive(version)


def _in_round(deployment: Deployment, version: str) -> bool:
    """Whether a round made it and did not end with it live; so it was not approved, whatever else was lost."""
    return any(one.candidate == version and one.state != "done" for one in deployment.rounds.all())
