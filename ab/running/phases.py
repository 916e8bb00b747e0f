"""Phases of an experiment: times during which nothing changes of who is in which arm and what the arms serve; pure.

Each phase holds the arms' intervals of the bucket, so that anybody can tell later who was where. A change of shares
cuts from the ends of arms that shrink and gives the pieces to arms that grow: as few units move as can be, and none
between arms whose share stays (edges that are cumulated anew would move far more).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from ab import switches as factorial
from ab.assignment import bucket
from ab.experiment import Experiment
from ab.running.layers import Range, takes_part

Intervals = Mapping[str, tuple[Range, ...]]
"""Of each arm, in the order of the file: parts of [0, 1), each from and below."""
DIGITS = 9
"""Decimals of a new edge, so that a share of a bucket's step moves whole buckets."""
SAME = 1e-9
"""Shares that differ by less are the same."""


class Phase(BaseModel):
    """One phase. `number` counts from 1 within an experiment, over stops and new beginnings."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    number: int = Field(ge=0)
    since: float = 0.0
    """When it began, in seconds since 1970."""
    until: float | None = None
    """When it ended; None while it goes on."""
    why: str = ""
    """What began it, in a few words."""
    arms: dict[str, tuple[Range, ...]]
    """Intervals of the bucket by arm; none where switches say it."""
    switches: dict[str, dict[str, tuple[Range, ...]]] = Field(default_factory=dict)
    """Of each switch the intervals of its own bucket in which it is on, and off."""
    versions: dict[str, str] = Field(default_factory=dict)
    """What each arm served, such as `v2`, or `v2, 10% v3` with a candidate."""
    namespace: Range = (0.0, 1.0)
    holdout: float = 0.0
    force: dict[str, str] = Field(default_factory=dict)
    ratios: dict[str, float] = Field(default_factory=dict)
    """By KPI of a latency guardrail: how many times the first arm's P99 is slow."""
    slow: dict[str, float] = Field(default_factory=dict)
    """By KPI of `ratios`: seconds beyond which a request is slow, frozen as soon as that P99 is known."""

    @property
    def shares(self) -> dict[str, float]:
        """Share of each arm."""
        if self.switches:
            return factorial.cells({name: _length(parts[factorial.ON]) for name, parts in self.switches.items()})
        return {arm: _length(parts) for arm, parts in self.arms.items()}


class AppliedExperiment(Experiment):
    """An experiment as `experiment show --json` prints it: with its state and its phases so far."""

    state: Literal["active", "stopped"] = "active"
    phases: tuple[Phase, ...] = ()
    """Oldest first; of very many the oldest are left out."""


@dataclass(frozen=True, slots=True)
class Assignment:
    """Where a unit stands in a phase; no arm: it takes no part."""

    bucket: float
    arm: str | None
    forced: bool = False
    """Whether the file names it as a tester: it is given its arm and counts for nothing."""


def cumulated(shares: Mapping[str, float]) -> dict[str, tuple[Range, ...]]:
    """Intervals of a first phase: GrowthBook's, and what rounding leaves at the end to the last arm with a share."""
    found: dict[str, tuple[Range, ...]] = {}
    edge = 0.0
    last = [arm for arm in shares if shares[arm] > 0][-1]
    for arm, share in shares.items():
        high = 1.0 if arm == last else edge + share
        found[arm] = ((edge, high),) if share > 0 else ()
        edge += share
    return found


def moved(old: Intervals, shares: Mapping[str, float]) -> dict[str, tuple[Range, ...]]:
    """Intervals for `shares` that differ from the `old` ones by as little as can be."""
    pool: list[Range] = []
    kept: dict[str, list[Range]] = {}
    for arm, parts in old.items():
        surplus = _length(parts) - shares.get(arm, 0.0)
        kept[arm], freed = _cut(parts, surplus if arm in shares else 1.0)
        pool += freed
    pool = _joined(pool)
    growing = [arm for arm in shares if shares[arm] - _length(kept.get(arm, ())) > SAME]
    growing = growing or [arm for arm in shares if shares[arm] > 0][-1:]
    found = {arm: list(kept.get(arm, ())) for arm in shares}
    for arm in growing:
        missing = shares[arm] - _length(found[arm])
        while pool and (missing > SAME or arm == growing[-1]):
            low, high = pool.pop(0)
            edge = high if arm == growing[-1] or high - low <= missing + SAME else round(low + missing, DIGITS)
            found[arm].append((low, edge))
            missing -= edge - low
            if edge < high:
                pool.insert(0, (edge, high))
    return {arm: tuple(_joined(parts)) for arm, parts in found.items()}


def assigned(experiment: Experiment, phase: Phase, unit: str) -> Assignment:
    """Where `unit` stands."""
    position = bucket(experiment.hash_seed, unit)
    forced = phase.force.get(unit)
    if forced is not None:
        return Assignment(bucket=position, arm=forced, forced=True)
    if not takes_part(unit, experiment.layer, phase.namespace, phase.holdout):
        return Assignment(bucket=position, arm=None)
    if phase.switches:
        return Assignment(bucket=position, arm=_cell(experiment, phase, unit))
    return Assignment(bucket=position, arm=arm_at(phase.arms, position))


def buckets(experiment: Experiment, unit: str) -> dict[str, float]:
    """Where a unit falls by the hash of each switch."""
    return {name: bucket(factorial.seed_of(experiment.hash_seed, name), unit) for name in experiment.switches}


def _cell(experiment: Experiment, phase: Phase, unit: str) -> str:
    places = buckets(experiment, unit)
    return factorial.cell(name for name, parts in phase.switches.items() if arm_at(parts, places[name]) == factorial.ON)


def arm_at(arms: Intervals, position: float) -> str:
    """The arm whose interval covers `position`."""
    for arm, parts in arms.items():
        for low, high in parts:
            if low <= position < high:
                return arm
    raise ValueError(f"no arm covers {position}")  # never of intervals made here


def begun(experiment: Experiment, number: int = 0) -> Phase:
    """The phase of an experiment that has just begun, as its file says."""
    return Phase(
        number=number, arms={} if experiment.switches else cumulated(experiment.shares),
        switches={name: cumulated(_states(share)) for name, share in experiment.switches.items()},
        namespace=experiment.namespace, holdout=experiment.holdout, force=experiment.force, ratios=_ratios(experiment),
    )  # fmt: skip


def _states(share: float) -> dict[str, float]:
    return {factorial.ON: share, factorial.OFF: 1 - share}


def following(last: Phase | None, experiment: Experiment, hours: float, versions: Mapping[str, str]) -> Phase | None:
    """The phase that is to begin now, without its time; None while `last` goes on.

    `hours`: how long the experiment has run; `versions`: what its arms serve now.
    """
    shares = experiment.shares_after(hours)
    if last is None:
        first = begun(experiment, 1).model_copy(update={"versions": dict(versions), "why": "applied"})
        return first if shares == experiment.shares else first.model_copy(update={"arms": cumulated(shares)})
    anew = begun(experiment)
    kept = last if list(last.switches) == list(anew.switches) else anew
    arms, switches = kept.arms, kept.switches
    if switches:
        switches = {name: _switched(switches[name], share) for name, share in experiment.switches.items()}
    elif not _alike(last.shares, shares):
        arms = moved(arms, shares)
    wanted = {
        "arms": arms, "switches": switches, "versions": dict(versions), "namespace": experiment.namespace,
        "holdout": experiment.holdout, "force": experiment.force, "ratios": _ratios(experiment),
    }  # fmt: skip
    named = {
        "arms": "shares", "switches": "shares", "namespace": "namespace", "holdout": "holdout", "force": "testers",
        "ratios": "limits of latency",
    }  # fmt: skip
    changed = [named[key] for key in named if getattr(last, key) != wanted[key]]
    if last.versions != wanted["versions"]:
        changed += [f"{arm} serves {now}" for arm, now in versions.items() if last.versions.get(arm) != now]
    if not changed and last.until is None:
        return None
    why = ", ".join(changed) or "applied again"
    return last.model_copy(update={**wanted, "number": last.number + 1, "until": None, "slow": {}, "why": why})


def _ratios(experiment: Experiment) -> dict[str, float]:
    return {rail.kpi: rail.max_ratio for rail in experiment.guardrails if rail.of_tail and rail.max_ratio is not None}


def _switched(old: dict[str, tuple[Range, ...]], share: float) -> dict[str, tuple[Range, ...]]:
    """Intervals of a switch that is to be on for `share`, which differ from the `old` ones by as little as can be."""
    states = _states(share)
    return old if _alike({state: _length(parts) for state, parts in old.items()}, states) else moved(old, states)


def _alike(one: Mapping[str, float], other: Mapping[str, float]) -> bool:
    return list(one) == list(other) and all(abs(one[arm] - other[arm]) <= SAME for arm in one)


def _length(parts: list[Range] | tuple[Range, ...]) -> float:
    return math.fsum(high - low for low, high in parts)


def _cut(parts: tuple[Range, ...], surplus: float) -> tuple[list[Range], list[Range]]:
    """What stays of an arm, and what its end gives away."""
    kept, freed = list(parts), []
    while kept and surplus > SAME:
        low, high = kept.pop()
        edge = low if high - low <= surplus + SAME else round(high - surplus, DIGITS)
        surplus -= high - edge
        freed.append((edge, high))
        if edge > low:
            kept.append((low, edge))
    return kept, freed


def _joined(parts: list[Range]) -> list[Range]:
    """In order, neighbours made one."""
    found: list[Range] = []
    for low, high in sorted(parts):
        if found and found[-1][1] == low:
            found[-1] = (found[-1][0], high)
        else:
            found.append((low, high))
    return found
