"""Builds the routing document from the controller's state and the slots' reports; pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ab.experiment import Experiment
from deploy.life.config import RolloutConfig
from deploy.life.running.experiments import current
from deploy.life.state import ControlState
from deploy.registry.config import RegistryConfig
from deploy.routing.document import (
    EXTERNAL,
    STUDENT_SLOTS,
    Heartbeat,
    RouterConfig,
    RoutingDocument,
    ShadowRates,
    SlotView,
)
from feedback.kpis.config import KpisConfig


@dataclass(frozen=True, slots=True)
class Settings:
    """What configuration gives to every document; `teacher` and `student` are engines that somebody else runs."""

    router: RouterConfig = field(default_factory=RouterConfig)
    rollout: RolloutConfig = field(default_factory=RolloutConfig)
    shadow: ShadowRates = field(default_factory=ShadowRates)
    teacher: SlotView | None = None
    student: SlotView | None = None
    registry: RegistryConfig = field(default_factory=RegistryConfig)
    kpis: KpisConfig = field(default_factory=KpisConfig)


def build(
    state: ControlState,
    beats: Mapping[str, Heartbeat],
    former: Mapping[str, SlotView],
    experiments: tuple[Experiment, ...],
    settings: Settings,
) -> RoutingDocument:
    """The document as things are, without number and time.

    `former` holds the views of slots whose agent is silent but within its grace.
    """
    state = as_run(state, settings)
    wanted: dict[str, str | None] = {"teacher": None if state.teacher == EXTERNAL else state.teacher}
    wanted.update({slot: state.slots.get(slot) for slot in STUDENT_SLOTS})
    slots = {slot: _view(version, beats.get(slot), former.get(slot)) for slot, version in wanted.items()}
    if settings.teacher is not None:
        slots["teacher"] = settings.teacher
    if settings.student is not None:
        slots = {"teacher": slots["teacher"], STUDENT_SLOTS[0]: settings.student}
    held = merged(settings.router.experiments, experiments)
    return RoutingDocument(
        slots=slots,
        teacher=state.teacher,
        stable=state.stable,
        unfit=state.learner,
        candidate=None if state.canary is None else state.canary.version,
        candidate_share=share(state, settings.rollout),
        candidate_step=None if state.canary is None or state.canary.step < 0 else state.canary.step,
        candidate_slow=None if state.canary is None else state.canary.slow,
        previous=state.previous,
        default=settings.router.default,
        aliases=settings.router.aliases,
        lines=tuple(settings.router.lines.items()),
        experiments=held,
        phases=current(state.experiments, (one.id for one in held)),
        shadow=settings.shadow,
        guard=state.guard,
        frozen=state.frozen,
    )


def as_run(state: ControlState, settings: Settings) -> ControlState:
    """`state` as it is in force: an arm that somebody else runs has no version of ours.

    What was decided on versions of ours is kept beside it, for the day on which the arm is ours again.
    """
    theirs: dict[str, Any] = {}
    if settings.teacher is not None:
        theirs["teacher"] = EXTERNAL
    if settings.student is not None:
        theirs.update(stable=EXTERNAL, previous=(), canary=None)
    return state.model_copy(update=theirs) if theirs else state


def share(state: ControlState, config: RolloutConfig) -> float:
    """The candidate's share: none while it loads."""
    if state.canary is None or state.canary.step < 0:
        return 0.0
    return config.steps[min(state.canary.step, len(config.steps) - 1)].served


def same(one: RoutingDocument, other: RoutingDocument) -> bool:
    """Whether two documents route alike."""
    ignored = {"epoch", "created", "reason", "fence", "audit"}
    return one.model_dump(exclude=ignored) == other.model_dump(exclude=ignored)


def reason(old: RoutingDocument | None, new: RoutingDocument) -> str:
    """What changed, in a few words."""
    if old is None:
        return "first document"
    if old.stable != new.stable:
        return f"stable {old.stable} -> {new.stable}"
    if old.unfit != new.unfit:
        return f"unfit {old.unfit} -> {new.unfit}"
    if (old.candidate, old.candidate_share) != (new.candidate, new.candidate_share):
        return f"candidate {new.candidate} at {new.candidate_share:.0%}"
    if old.frozen != new.frozen:
        return f"frozen: {', '.join(new.frozen) or 'nothing'}"
    if old.guard != new.guard:
        return "rules of the guard"
    if old.experiments != new.experiments:
        return "experiments"
    if old.phases != new.phases:
        begun = [f"{name} {phase.number}" for name, phase in new.phases.items() if old.phases.get(name) != phase]
        return f"phase of {', '.join(begun)}"
    changed = [name for name, view in new.slots.items() if old.slots.get(name) != view]
    return f"slots: {', '.join(changed)}" if changed else "settings"


def _view(version: str | None, beat: Heartbeat | None, former: SlotView | None) -> SlotView:
    if beat is not None:
        return told(beat, version)
    if former is not None:
        return former.model_copy(update={"desired": version})
    return SlotView(desired=version)


def told(beat: Heartbeat, version: str | None = None) -> SlotView:
    """The view of a slot, of which `version` is desired, as its agent says."""
    return SlotView(
        desired=version, url=beat.url, model=beat.model, version=beat.version, ready=beat.ready,
        control_tokens=beat.control_tokens,
    )  # fmt: skip


def merged(given: tuple[Experiment, ...], stored: tuple[Experiment, ...]) -> tuple[Experiment, ...]:
    """Configured and applied experiments; an applied one replaces a configured one of the same id."""
    ids = {experiment.id for experiment in stored}
    return tuple(e for e in given if e.id not in ids) + stored
