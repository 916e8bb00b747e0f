"""What a slot's agent may do when: one table of states and events, and one pure choice of the next step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from deploy.routing.document import RoutingDocument
from understudy.errors import IllegalTransition


class State(StrEnum):
    """Where a slot stands; the words appear in heartbeats."""

    IDLE = "idle"
    STARTING = "starting"
    VERIFYING = "verifying"
    SERVING = "serving"
    DRAINING = "draining"
    LOADING = "loading"
    STOPPING = "stopping"
    BACKING_OFF = "backing_off"


class SlotEvent(StrEnum):
    """What can happen to a slot."""

    START = "start"
    ADOPT = "adopt"
    HEALTHY = "healthy"
    MATCHED = "matched"
    REPLACE = "replace"
    DRAINED = "drained"
    OVERDUE = "overdue"
    LOADED = "loaded"
    RESTART = "restart"
    STOPPED = "stopped"
    FAILED = "failed"
    ELAPSED = "elapsed"


S, E = State, SlotEvent
TABLE: dict[tuple[State, SlotEvent], State] = {
    (S.IDLE, E.START): S.STARTING,
    (S.IDLE, E.ADOPT): S.VERIFYING,
    (S.IDLE, E.FAILED): S.BACKING_OFF,
    (S.STARTING, E.HEALTHY): S.VERIFYING,
    (S.STARTING, E.FAILED): S.BACKING_OFF,
    (S.VERIFYING, E.MATCHED): S.SERVING,
    (S.VERIFYING, E.FAILED): S.BACKING_OFF,
    (S.SERVING, E.REPLACE): S.DRAINING,
    (S.SERVING, E.FAILED): S.BACKING_OFF,
    (S.DRAINING, E.DRAINED): S.LOADING,
    (S.DRAINING, E.OVERDUE): S.SERVING,
    (S.DRAINING, E.RESTART): S.STOPPING,
    (S.DRAINING, E.FAILED): S.BACKING_OFF,
    (S.LOADING, E.LOADED): S.VERIFYING,
    (S.LOADING, E.RESTART): S.STOPPING,
    (S.LOADING, E.FAILED): S.BACKING_OFF,
    (S.STOPPING, E.STOPPED): S.IDLE,
    (S.STOPPING, E.FAILED): S.BACKING_OFF,
    (S.BACKING_OFF, E.ELAPSED): S.IDLE,
}


def after(state: State, event: SlotEvent) -> State:
    """The next state.

    Raises:
        IllegalTransition: the event has no meaning in this state.
    """
    try:
        return TABLE[state, event]
    except KeyError:
        raise IllegalTransition(f"a slot that is {state} cannot take the event {event}") from None


SlotStep = Literal["nothing", "start", "replace"]


@dataclass(frozen=True, slots=True)
class Want:
    """What a slot should do now, with which version, and why nothing is done where that is not obvious."""

    step: SlotStep
    version: str | None = None
    why: str = ""


def decide(
    slot: str,
    state: State,
    loaded: str | None,
    document: RoutingDocument | None,
    last_good: str | None,
    blocked: Mapping[str, str],
) -> Want:
    """The next step of a slot that is idle or serving.

    `blocked` holds versions that failed here and must not be tried now, with reasons; `last_good` stands in
    for a blocked version when the slot has nothing loaded.
    """
    view = document.slots.get(slot) if document else None
    desired = view.desired if view else None
    if state is State.IDLE:
        version = desired if desired and desired not in blocked else last_good
        if version is None or version in blocked:
            return Want("nothing", why=blocked.get(desired or "", "no version is wanted here"))
        return Want("start", version)
    if state is not State.SERVING or desired is None or desired == loaded:
        return Want("nothing")
    if desired in blocked:
        return Want("nothing", why=blocked[desired])
    if document and loaded and carries_traffic(slot, loaded, document):
        return Want("nothing", why=f"{loaded} is in use here; the document must move its traffic first")
    return Want("replace", desired)


def carries_traffic(slot: str, loaded: str, document: RoutingDocument) -> bool:
    """Whether the document still sends requests for `loaded` to this very slot."""
    if slot == "teacher":
        return document.teacher == loaded
    used = loaded == document.stable or (loaded == document.candidate and document.candidate_share > 0)
    others = (view for name, view in document.slots.items() if name not in (slot, "teacher"))
    return used and not any(view.serves and view.version == loaded for view in others)
