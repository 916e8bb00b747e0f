"""How far an unfit student has come, round by round, and what that says of the rest of its way."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from pydantic import BaseModel, ConfigDict

from deploy.life.config import GateConfig
from deploy.rounds.record import Round

LATEST: Final = 3
"""Better rounds by whose pace the rest is told, and rounds without a gain after which no pace is told."""


class WayStep(BaseModel):
    """A round of an unfit student's line: what it made of its parent, on `n` held-out general prompts."""

    model_config = ConfigDict(frozen=True, extra="ignore", use_attribute_docstrings=True)
    round: int
    parent: str
    version: str
    before: float
    agreement: float
    """Share of the teacher's tokens."""
    lower: float
    """Its lower bound, which is what `gate.fit_agreement` is compared with."""
    exact: float
    facts: float | None = None
    """Share of replies with every fact of the teacher's; None where the round's record lacks it."""
    n: int
    better: bool
    """Whether `version` took its parent's place."""
    started: float
    ended: float
    """Seconds since the epoch."""


@dataclass(frozen=True, slots=True)
class Missing:
    """What there is to do until it is fit. `rounds` and `seconds` are the least; None: nothing says."""

    wanted: float
    rows: int
    """Held-out prompts that are wanted."""
    rounds: int | None
    seconds: float | None
    said: str


def way(version: str, rounds: Sequence[Round]) -> tuple[WayStep, ...]:
    """The rounds that led from the cut to `version`, and those since then that did not make it better; oldest first.

    `rounds`: newest first.
    """
    found, at = [], version
    for one in rounds:
        told = _fitness(one)
        if told is None or one.candidate is None:
            continue
        better = one.candidate == at
        if not better and one.parent != at:
            continue
        figures = {name: float(told.get(name) or 0.0) for name in ("before", "agreement", "lower", "exact")}
        found.append(
            WayStep(
                round=one.id, parent=one.parent, version=one.candidate, n=int(told["n"]), better=better,
                facts=_facts(one), started=one.started, ended=one.since, **figures,
            )
        )  # fmt: skip
        at = one.parent if better else at
    return tuple(reversed(found))


def missing(steps: Sequence[WayStep], config: GateConfig) -> Missing:
    """What lacks by the last judgement, and at the pace of the latest rounds how long that takes at least.

    Each round is taken to close the same share of what then lacks of 1: an upper bound of what learning does, since
    the last tokens are the hardest, so it takes longer and may level off before.
    """
    better = [step for step in steps if step.better]
    wanted, rows = config.fit_agreement, config.fit_rows
    if not better:
        none = "no round has made it better yet, so nothing says how long it takes"
        return Missing(wanted, rows, None, None, f"{wanted:.2f} of the teacher's tokens; {none}")
    last, latest = better[-1], better[-LATEST:]
    lacks = [f"{wanted - last.lower:.2f} of the teacher's tokens"] if last.lower < wanted else []
    lacks += [f"{rows - last.n} held-out prompts"] if last.n < rows else []
    lacks += ["exact replies"] if last.lower >= wanted and last.exact < config.fit_exact else []
    head = f"{' and '.join(lacks) or 'a judgement'} missing"
    idle = len(steps) - 1 - max(i for i, step in enumerate(steps) if step.better)
    if idle >= LATEST:
        hint = "cut fewer layers away, give rounds more time (`trainer.budget_seconds`), or send more and other traffic"
        return Missing(wanted, rows, None, None, f"{head}; the last {idle} rounds made it no better: {hint}")
    count = _rounds(latest, wanted)
    if count is None:
        return Missing(wanted, rows, None, None, f"{head}; the latest rounds give no pace to tell the rest by")
    seconds = count * (steps[-1].ended - latest[0].started) / len(latest)
    several = f"at the pace of the last {len(latest)} better rounds"
    pace = several if len(latest) > 1 else "by one round, which says little,"
    said = f"{head}; {pace} at least {count} more round{'s'[: count != 1]}, and the last tokens are the hardest"
    return Missing(wanted, rows, count, seconds, said)


def _rounds(latest: Sequence[WayStep], wanted: float) -> int | None:
    """Rounds until the bound reaches `wanted` if each closes the share of what lacks of 1 that the latest ones did."""
    first, last = latest[0].before, latest[-1]
    goal = min(wanted + last.agreement - last.lower, (1 + wanted) / 2)
    if last.agreement >= goal:
        return 1
    if goal >= 1:
        return None
    kept = ((1 - last.agreement) / (1 - first)) ** (1 / len(latest)) if first < 1 else 1.0
    return math.ceil(math.log((1 - goal) / (1 - last.agreement)) / math.log(kept)) if 0 < kept < 1 else None


def _facts(one: Round) -> float | None:
    """Of the candidate, on the prompts that its agreement is judged on."""
    general = one.stages["gate"].summary.get("general") or {}
    found = (general.get("facts") or {}).get("candidate")
    return None if found is None else float(found)


def _fitness(one: Round) -> dict[str, Any] | None:
    gate = one.stages.get("gate")
    told = None if gate is None else gate.summary.get("fitness")
    return told if isinstance(told, dict) else None
