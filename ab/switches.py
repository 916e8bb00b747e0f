"""Serving switches that a factorial turns on and off: the crossings of their states, and who answers in each. Pure.

A unit has each switch on or off by a hash of its own, so k switches make 2^k cells: coalitions of those that are on.
The guard is one of them: where it is off nobody is degraded, whatever is said of him, and who answers stays the same.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from itertools import product
from typing import Literal

Switch = Literal["routing", "candidate", "guard"]
"""`routing`: the student answers, not the teacher. `candidate`: where the student answers, the candidate does. `guard`:
the guard's verdicts hold as the tenant's mode says, else they are reached and counted, and the reply is served."""
GUARD: Switch = "guard"
MOST = 6
"""Switches of a factorial; more would need more than 64 cells."""
NONE = "none"
"""The cell in which all are off."""
ON, OFF = "on", "off"


def cell(on: Iterable[str]) -> str:
    """Name of the cell in which these are on, such as `routing+candidate`."""
    return "+".join(on) or NONE


def members(name: str) -> frozenset[str]:
    """The switches that are on in a cell."""
    return frozenset() if name == NONE else frozenset(name.split("+"))


def cells(switches: Mapping[str, float]) -> dict[str, float]:
    """Every cell with its share of the units, that in which all are off first; `switches` says how often each is on."""
    found = {}
    for states in product((False, True), repeat=len(switches)):
        shares = (share if on else 1 - share for on, share in zip(states, switches.values(), strict=True))
        found[cell(name for name, on in zip(switches, states, strict=True) if on)] = math.prod(shares)
    return found


def of_reply(switches: Iterable[str]) -> list[str]:
    """Those of the switches that say who answers."""
    return [one for one in switches if one != GUARD]


def serves(name: str, switches: Iterable[str]) -> str:
    """Who answers the units of a cell; without a switch `routing` it is the student, and with none that says who
    answers whoever would without the experiment: empty."""
    given, on = set(of_reply(switches)), members(name)
    if not given:
        return ""
    if "routing" in given and "routing" not in on:
        return "teacher"
    if "candidate" not in given:
        return "student"
    return "candidate" if "candidate" in on else "stable"


def answers(switches: Iterable[str]) -> tuple[str, ...]:
    """Who answers in any of the cells, once each: first where all switches are off, last where all are on."""
    given = of_reply(switches)
    return tuple(dict.fromkeys(serves(name, given) for name in cells(dict.fromkeys(given, 0.5))))


def seed_of(seed: str, switch: str) -> str:
    """Seed of a switch's own hash."""
    return f"{seed}:{switch}"
