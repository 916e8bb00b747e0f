"""A round's states as one table."""

from __future__ import annotations

from typing import Final

from understudy.errors import IllegalTransition

STAGES: Final = ("select", "score", "distil", "export", "evaluate", "register", "gate", "canary", "live")
FINAL: Final = frozenset({"done", "learned", "rejected", "failed", "rolled_back"})

TABLE: Final[dict[tuple[str, str], str]] = {
    **{(stage, "done"): after for stage, after in zip(STAGES, (*STAGES[1:], "done"), strict=True)},
    **{(stage, "failed"): "failed" for stage in STAGES},
    ("evaluate", "rejected"): "rejected",
    ("register", "rejected"): "rejected",
    ("gate", "rejected"): "rejected",
    ("gate", "learned"): "learned",
    ("canary", "rejected"): "rolled_back",
}
"""{(stage, event): next state}; the next state is a stage or final.

`learned`: the candidate is better than its unfit parent, and not fit yet.
"""


def next_state(state: str, event: str) -> str:
    """The state after `event`.

    Raises:
        IllegalTransition: the table does not hold it.
    """
    if (state, event) not in TABLE:
        raise IllegalTransition(f"a round in state {state!r} cannot take the event {event!r}")
    return TABLE[state, event]
