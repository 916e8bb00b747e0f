"""Where a request goes: a pure function of the routing document and of what the request says of itself."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from ab.assignment import assign, bucket
from ab.experiment import Arm, Experiment, ExperimentLayer, Unit, When
from ab.running.phases import assigned, begun
from ab.switches import GUARD
from deploy.routing.answerers import FROZEN_STUDENT, Answerer, answerers, order_of
from deploy.routing.document import OTHER_LINE, RoutingDocument, SlotView
from feedback.kpis.names import trial
from understudy.errors import NotFound, Unavailable

AUTO = "auto"
DEFAULT_SEED = "router.default"
"""Seed of the split by `router.default`."""


class NoArm(Unavailable):
    """No engine that may answer this request is ready."""

    code = "no_arm_ready"


class StudentUnfit(NoArm):
    """The student that was asked for learns, and answers nobody yet."""

    code = "student_unfit"

    def __init__(self, version: str) -> None:
        super().__init__(
            f"the student {version} is not fit yet: it learns from copies and answers nobody; use `teacher` or "
            f"`{AUTO}`; `understudy status` says how far it is"
        )


class ModelNotFound(NotFound):
    """The client asked for a model name that means nothing here, or for a version that is not loaded."""

    code = "model_not_found"


class Ask(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """What routing may know of a request. `user` None: none was given, by header or field."""

    model: str
    session: str
    request: str
    user: str | None = None
    session_derived: bool = False
    tenant: str = "default"
    headers: Mapping[str, str] | None = None
    """Lower-case names; only looked at by experiments that match on headers."""
    teacher_only: bool = False
    """Whether nobody but the teacher may answer, whatever model is asked for."""


class GuardNote(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """What an event keeps of a judgement: the stage that decided, the score, and the breaker of the user."""

    guard_stage: str = ""
    guard_score: float | None = None
    guard_user: str = ""


class PartTaken(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """An experiment that holds for a request: its phase, the arm of the unit, and the bucket that says so."""

    experiment: str
    phase: int
    arm: str
    bucket: float
    counted: bool
    """False of testers, and of users who had to be derived from the session: they are left out of the test."""
    layer: ExperimentLayer = "arm"
    slow: Mapping[str, float] = msgspec.field(default_factory=dict)
    """Seconds beyond which a request is slow in the phase, by KPI of a latency guardrail."""
    covariates: tuple[tuple[str, str], ...] = ()
    """KPIs, each with the covariate that is kept of a unit that comes for the first time."""
    guarded: bool | None = None
    """Whether the guard is on for the unit; None where the guard is no switch of the experiment, and of a user who had
    to be derived: nobody learns anything from serving him an attack."""


class Decision(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """`arm`, `version` and `slot` answer; `assigned` is the one who was meant to."""

    arm: Arm
    version: str
    slot: SlotView
    assigned: Arm
    unit: str
    unit_derived: bool
    experiment: str | None = None
    """That decided who answers."""
    auto: bool = False
    """Whether the router chose the arm; only then may the other one stand in."""
    rollout: str | None = None
    """Side of the canary that the unit is on; see `feedback.kpis.names.trial`."""
    slow_after: float | None = None
    """Seconds beyond which a reply is slow for the canary."""
    taken: tuple[PartTaken, ...] = ()
    """Every experiment that holds, the one that decided first."""
    fell_back: bool = False
    """Whether another version than the one meant answers."""
    line: str = ""
    """Line of business of a request of `auto`; empty where none are named."""


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


def check_model(document: RoutingDocument, name: str) -> None:
    """Whether there is a model of that name now, whatever else a request says.

    Raises:
        ModelNotFound: there is none.
    """
    target, _ = resolve(document, name)
    version = target.partition(":")[2]
    if version and version != document.unfit and document.slot_of(version, "student") is None:
        raise _not_loaded(version)


def _not_loaded(version: str) -> ModelNotFound:
    return ModelNotFound(f"the version `{version}` is not loaded; see GET /v1/models", param="model")


def route(document: RoutingDocument, ask: Ask, avoid: Arm | None = None) -> Decision:
    """Decide arm, version and slot; `avoid` is an arm that has just failed.

    Raises:
        ModelNotFound: unknown name, or a version that no slot serves.
        StudentUnfit: the student, or an experiment's arm of it, while it only learns.
        NoArm: nothing that may answer is ready.
    """
    target, alias = resolve(document, ask.model)
    unit, derived = _user_unit(ask)
    if ask.teacher_only:
        return _teacher_only(document, ask)
    if target == AUTO:
        return _route_auto(document, ask, alias, avoid)
    arm: Arm = "teacher" if target == "teacher" or FROZEN_STUDENT in document.frozen else "student"
    version = document.teacher if arm == "teacher" else document.stable
    if arm == "student" and target != "student":
        version = target.partition(":")[2]
    if arm == "student" and document.unfit is not None and version in (None, document.unfit):
        raise StudentUnfit(document.unfit)
    slot = document.slot_of(version, arm)
    if slot is not None and version is not None:
        return Decision(arm, version, slot, arm, unit, derived)
    if arm == "student" and target != "student":
        raise _not_loaded(str(version))
    raise NoArm(f"the {arm} is not ready; try again, or use the model `{AUTO}`")


def _teacher_only(document: RoutingDocument, ask: Ask) -> Decision:
    """The teacher, whom an experiment with the guard among its switches counts all the same: it is the guard's doing.

    Raises:
        NoArm: he is not ready.
    """
    slot = document.slot_of(document.teacher, "teacher")
    if slot is None:
        raise NoArm(f"the teacher is not ready; try again, or use the model `{AUTO}`")
    given = guard_switched(document, ask)
    if given is None:
        return Decision("teacher", document.teacher, slot, "teacher", *_user_unit(ask))
    experiment, one = given
    unit, derived = _unit(ask, experiment.unit)
    serve = experiment.serves.get(one.arm) or assign(DEFAULT_SEED, unit, document.default)
    meant: Arm = "teacher" if serve == "teacher" else "student"
    line = line_of(document, ask, resolve(document, ask.model)[1])
    return Decision(
        "teacher", document.teacher, slot, meant, unit, derived, taken=(one,), fell_back=meant != "teacher", line=line
    )


def guard_switched(document: RoutingDocument, ask: Ask) -> tuple[Experiment, PartTaken] | None:
    """The experiment with the guard among its switches in which a request takes part; None where there is none.

    Raises:
        ModelNotFound: unknown name.
    """
    if not any(GUARD in experiment.switches for experiment in document.experiments):
        return None
    target, alias = resolve(document, ask.model)
    holding = taking_part(document, ask, alias) if target == AUTO else []
    return next(((experiment, one) for experiment, one in holding if one.guarded is not None), None)


def _route_auto(document: RoutingDocument, ask: Ask, alias: str | None, avoid: Arm | None) -> Decision:
    holding = taking_part(document, ask, alias)
    unit, derived = _unit(ask, holding[0][0].unit if holding else "user")
    taken = tuple(one for _, one in holding)
    name = serve = None
    for experiment, one in holding:
        if experiment.says_who:
            name, serve = experiment.id, experiment.serve(one.arm)
    if serve is None:
        serve = assign(DEFAULT_SEED, unit, document.default)
        divided = serve == "student" or document.default.get("student", 0) == 0
    else:
        divided = serve == "student"
    home: Arm = "teacher" if serve == "teacher" else "student"
    on_candidate = divided and _takes_candidate(document, unit)
    order, found = answerers.of(document, "candidate" if on_candidate else serve, avoid)
    if name is not None and home == "student" and avoid is None and _unfit_alone(document, found):
        raise StudentUnfit(str(document.unfit))
    if found is None:
        raise NoArm("no engine is ready; try again shortly")
    arm, version, slot = found
    meant: Arm = "student" if on_candidate else home
    side = _side(document, home, on_candidate) if divided else None
    slow_after = None if side is None else document.candidate_slow
    return Decision(
        arm, version, slot, meant, unit, derived, name, auto=True, rollout=side, slow_after=slow_after,
        taken=taken, fell_back=arm != meant or (arm, version) != order[0], line=line_of(document, ask, alias),
    )  # fmt: skip


def _unfit_alone(document: RoutingDocument, found: Answerer | None) -> bool:
    """Whether the student's arm has nobody who may answer because the student only learns."""
    answered = found is not None and found[0] == "student"
    return document.unfit is not None and not answered and FROZEN_STUDENT not in document.frozen


def _takes_candidate(document: RoutingDocument, unit: str) -> bool:
    share = document.candidate_share
    return document.candidate is not None and share > 0 and bucket(document.candidate, unit) < share


def _side(document: RoutingDocument, home: Arm, on_candidate: bool) -> str | None:
    """The canary's side of a unit that chance alone put there; `home` is the arm that it has without a canary.

    None where one of the sides cannot be served: a reply from elsewhere is then not the version's doing.
    """
    candidate, step = document.candidate, document.candidate_step
    arm, former = order_of(document, home)[0]
    if candidate is None or step is None or FROZEN_STUDENT in document.frozen:
        return None
    both = document.slot_of(candidate, "student") and document.slot_of(former, arm)
    return trial(candidate, step, new=on_candidate) if both else None


def taking_part(document: RoutingDocument, ask: Ask, alias: str | None) -> list[tuple[Experiment, PartTaken]]:
    """The experiments in which this request takes part, at most one of each layer; the layer `arm` first."""
    found: dict[str, tuple[Experiment, PartTaken]] = {}
    for experiment in document.experiments:
        if experiment.layer in found or not _holds(experiment.when, ask, alias):
            continue
        unit, derived = _unit(ask, experiment.unit)
        phase = document.phases.get(experiment.id) or begun(experiment)
        place = assigned(experiment, phase, unit)
        if place.arm is not None:
            counted = not place.forced and not (derived and experiment.unit == "user")
            found[experiment.layer] = experiment, PartTaken(
                experiment.id, phase.number, place.arm, place.bucket, counted, experiment.layer, phase.slow,
                experiment.frozen, experiment.guarded(place.arm) if counted or place.forced else None,
            )  # fmt: skip
    return list(found.values()) if len(found) < 2 else [found[layer] for layer in sorted(found)]


def line_of(document: RoutingDocument, ask: Ask, alias: str | None) -> str:
    """The first line of business that takes the request, else `other`; empty where none are named."""
    named = (name for name, when in document.lines if _holds(when, ask, alias))
    return next(named, OTHER_LINE) if document.lines else ""


def _holds(when: When, ask: Ask, alias: str | None) -> bool:
    if when.alias is not None and when.alias != alias:
        return False
    if when.tenant is not None and when.tenant != ask.tenant:
        return False
    if not when.header:
        return True
    given = ask.headers or {}
    return all(given.get(name.lower()) == value for name, value in when.header.items())


def _user_unit(ask: Ask) -> tuple[str, bool]:
    return (ask.session, True) if ask.user is None else (ask.user, False)


def _unit(ask: Ask, kind: Unit) -> tuple[str, bool]:
    """The unit of assignment, and whether it had to be derived."""
    if kind == "user":
        return _user_unit(ask)
    if kind == "session":
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
        if name != "teacher" and slot.serves and slot.version != document.unfit:
            names.append(f"student:{slot.version}")
    return [*dict.fromkeys(names), *document.aliases]
