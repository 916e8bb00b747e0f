"""A version's life as one table, and the pure judgement of a canary's step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from deploy.life.config import RolloutStep
from understudy.errors import IllegalTransition

STATES: Final = (
    "registered", "unfit", "set_aside", "gated", "loading", "canary", "live", "previous", "rejected", "rolled_back",
    "bad", "archived",
)  # fmt: skip

CHOOSABLE: Final = ("registered", "unfit", "set_aside", "gated", "loading", "canary", "rejected", "rolled_back")
ARCHIVABLE: Final = ("registered", "set_aside", "gated", "previous", "rejected", "rolled_back", "bad")

LIFE: Final[dict[tuple[str, str], str]] = {
    ("registered", "gate_passed"): "gated",
    ("registered", "gate_failed"): "rejected",
    ("registered", "adopted"): "live",
    ("registered", "kept"): "previous",
    ("registered", "taken_up"): "unfit",
    ("registered", "learned"): "unfit",
    ("unfit", "outdone"): "set_aside",
    ("set_aside", "taken_up"): "unfit",
    ("live", "taken_up"): "unfit",
    ("gated", "wanted"): "loading",
    ("gated", "aborted"): "rolled_back",
    ("loading", "loaded"): "canary",
    ("loading", "aborted"): "rolled_back",
    ("canary", "promoted"): "live",
    ("canary", "breached"): "rolled_back",
    ("canary", "aborted"): "rolled_back",
    ("live", "superseded"): "previous",
    ("previous", "restored"): "live",
    **{(state, "chosen"): "live" for state in CHOOSABLE},
    **{(s, "unloadable"): "bad" for s in STATES if s not in ("bad", "archived")},
    **{(s, "archived"): "archived" for s in ARCHIVABLE},
}
"""{(state, event): next}. `chosen`: promoted by an operator; `kept`: a former version at first start.

An `unfit` student learns from copies and answers nobody. `taken_up`: it is the one that learns from now on, as a cut at
first, as a former one, or after a rollback of a promotion by force; `learned`: better than its unfit parent on held-out
rows, whose place it takes; `outdone`: another one learns, or a student is live.
"""


def advance(state: str, event: str) -> str:
    """The state of a version after `event`.

    Raises:
        IllegalTransition: the table does not hold it.
    """
    if (state, event) not in LIFE:
        raise IllegalTransition(f"a version in state {state!r} cannot take the event {event!r}")
    return LIFE[state, event]


def allows(state: str, event: str) -> bool:
    """Whether the table holds it."""
    return (state, event) in LIFE


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a step's evidence means now, and why."""

    outcome: Literal["wait", "hold", "advance", "breach"]
    why: str


BY_EXPOSURES: Final = "exposures"
BY_TIMEOUT: Final = "offline+shadow: timeout promote"
BY_OPERATOR: Final = "operator"


def judge(
    step: RolloutStep, exposures: int, waited: float, harm: str | None, no_time_out: str | None = None
) -> Judgement:
    """Judge one step: harm first, then exposures, then its time-out (`waited` in seconds).

    `no_time_out`: why the candidate may not be promoted on a time-out, whatever the step says.
    """
    if harm is not None:
        return Judgement("breach", harm)
    if exposures >= step.min_exposures:
        return Judgement("advance", BY_EXPOSURES)
    if waited < step.max_wait_seconds:
        return Judgement("wait", f"{exposures} of {step.min_exposures} exposures after {waited:.0f} s")
    if step.on_timeout == "promote" and no_time_out is None:
        return Judgement("advance", BY_TIMEOUT)
    also = f" ({no_time_out})" if step.on_timeout == "promote" else ""
    return Judgement("hold", f"only {exposures} of {step.min_exposures} exposures after {waited:.0f} s; holding{also}")
