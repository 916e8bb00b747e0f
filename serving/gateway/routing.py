"""Where a request goes: a pure function of the routing document and of what the request says of itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ab.assignment import assign, bucket
from ab.experiment import Arm, Experiment, When
from deploy.routing.document import RoutingDocument, SlotView
from feedback.kpis.names import trial
from understudy.errors import NotFound, Unavailable

AUTO = "auto"
DEFAULT_SEED = "router.default"
"""Seed of the split by `router.default`."""
FROZEN_STUDENT = "student"


class NoArm(Unavailable):
    """No engine that may answer this request is ready."""

    code = "no_arm_ready"


class ModelNotFound(NotFound):
    """The client asked for a model name that means nothing here, or for a version that is not loaded."""

    code = "model_not_found"


@dataclass(frozen=True, slots=True)
class Ask:
    """What routing may know of a request. `user` None: none was given, by header or field."""

    model: str
    session: str
    request: str
    user: str | None = None
    session_derived: bool = False
    tenant: str = "default"
    headers: Mapping[str, str] | None = None
    """Lower-case names; only looked at by experiments that match on headers."""


@dataclass(frozen=True, slots=True)
class Decision:
    """`arm`, `version` and `slot` answer; `assigned` is the arm that an exposure counts for."""

    arm: Arm
    version: str
    slot: SlotView
    assigned: Arm
    unit: str
    unit_derived: bool
    experiment: str | None = None
    auto: bool = False
    """Whether the router chose the arm; only then may the other one stand in."""
    rollout: str | None = None
    """Side of the canary that the unit is on; see `feedback.kpis.names.trial`."""
    slow_after: float | None = None
    """Seconds beyond which a reply is slow for the canary."""


def resolve(document: RoutingDocument, name: str) -> tuple[str, str | None]:
    """The name that `name` stands for, and the alias that was used, if any.

    Raises:
        ModelNotFound: it stands for nothing.
    """
    target = document.aliases.get(name)
    alias = None if target is None else name
    target = name if target is None else target
    if target in (AUTO, "teacher", "student") or (target.startswith("student:") and len(target) > 8):
        return target, alias
    known = ", ".join([AUTO, "teacher", "student", "student:VERSION", *document.aliases])
    raise ModelNotFound(f"the model `{name}` does not exist; use one of: {known}", param="model")


def route(document: RoutingDocument, ask: Ask, avoid: Arm | None = None) -> Decision:
    """Decide arm, version and slot; `avoid` is an arm that has just failed.

    Raises:
        ModelNotFound: unknown name, or a version that no slot serves.
        NoArm: nothing that may answer is ready.
    """
    target, alias = resolve(document, ask.model)
    unit, derived = _user_unit(ask)
    if target == AUTO:
        return _route_auto(document, ask, alias, avoid)
    arm: Arm = "teacher" if target == "teacher" or FROZEN_STUDENT in document.frozen else "student"
    version = document.teacher if arm == "teacher" else document.stable
    if arm == "student" and target != "student":
        version = target.partition(":")[2]
    slot = document.slot_of(version, arm)
    if slot is not None and version is not None:
        return Decision(arm, version, slot, arm, unit, derived)
    if arm == "student" and target != "student":
        raise ModelNotFound(f"the version `{version}` is not loaded; see GET /v1/models", param="model")
    raise NoArm(f"the {arm} is not ready; try again, or use the model `{AUTO}`")


def _route_auto(document: RoutingDocument, ask: Ask, alias: str | None, avoid: Arm | None) -> Decision:
    experiment = matching(document, ask, alias)
    unit, derived = _unit(ask, experiment)
    if experiment is not None:
        home = assign(experiment.hash_seed, unit, experiment.arms)
        divided = home == "student"
    else:
        home = assign(DEFAULT_SEED, unit, document.default)
        divided = home == "student" or document.default.get("student", 0) == 0
    on_candidate = divided and _takes_candidate(document, unit)
    assigned = "student" if on_candidate else home
    found = _find(document, assigned, on_candidate, avoid)
    if found is None:
        raise NoArm("no engine is ready; try again shortly")
    arm, version, slot = found
    name = None if experiment is None else experiment.id
    side = _side(document, home, on_candidate) if divided else None
    slow_after = None if side is None else document.candidate_slow
    return Decision(arm, version, slot, assigned, unit, derived, name, auto=True, rollout=side, slow_after=slow_after)


def _find(
    document: RoutingDocument, assigned: Arm, on_candidate: bool, avoid: Arm | None
) -> tuple[Arm, str, SlotView] | None:
    """The first that serves of candidate (if meant), assigned arm, other arm."""
    frozen = FROZEN_STUDENT in document.frozen
    student: list[tuple[Arm, str | None]] = [("student", document.stable)]
    if on_candidate:
        student.insert(0, ("student", document.candidate))
    teacher: list[tuple[Arm, str | None]] = [("teacher", document.teacher)]
    order = teacher if frozen else student + teacher if assigned == "student" else teacher + student
    for arm, version in order:
        slot = None if arm == avoid else document.slot_of(version, arm)
        if slot is not None and version is not None:
            return arm, version, slot
    return None


def _takes_candidate(document: RoutingDocument, unit: str) -> bool:
    share = document.candidate_share
    return document.candidate is not None and share > 0 and bucket(document.candidate, unit) < share


def _side(document: RoutingDocument, home: Arm, on_candidate: bool) -> str | None:
    """The canary's side of a unit that chance alone put there; `home` is the arm that it has without a canary.

    None where one of the sides cannot be served: a reply from elsewhere is then not the version's doing.
    """
    candidate, step = document.candidate, document.candidate_step
    former = document.teacher if home == "teacher" else document.stable
    if candidate is None or step is None or FROZEN_STUDENT in document.frozen:
        return None
    both = document.slot_of(candidate, "student") and document.slot_of(former, home)
    return trial(candidate, step, new=on_candidate) if both else None


def matching(document: RoutingDocument, ask: Ask, alias: str | None) -> Experiment | None:
    """The first experiment of the document in which this request takes part."""
    for experiment in document.experiments:
        if _holds(experiment.when, ask, alias):
            return experiment
    return None


def _holds(when: When, ask: Ask, alias: str | None) -> bool:
    if when.alias is not None and when.alias != alias:
        return False
    if when.tenant is not None and when.tenant != ask.tenant:
        return False
    given = ask.headers or {}
    return all(given.get(name.lower()) == value for name, value in when.header.items())


def _user_unit(ask: Ask) -> tuple[str, bool]:
    return (ask.session, True) if ask.user is None else (ask.user, False)


def _unit(ask: Ask, experiment: Experiment | None) -> tuple[str, bool]:
    """The unit of assignment, and whether it had to be derived."""
    if experiment is None or experiment.unit == "user":
        return _user_unit(ask)
    if experiment.unit == "session":
        return ask.session, ask.session_derived
    return ask.request, False


def model_names(document: RoutingDocument) -> list[str]:
    """Every name that a client may use now, aliases last."""
    names = [AUTO]
    if document.slot_of(document.teacher, "teacher") is not None:
        names.append("teacher")
    if document.slot_of(document.stable, "student") is not None:
        names.append("student")
    for name, slot in document.slots.items():
        if name != "teacher" and slot.serves:
            names.append(f"student:{slot.version}")
    return [*dict.fromkeys(names), *document.aliases]
