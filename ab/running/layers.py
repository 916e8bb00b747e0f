"""Which experiments a unit takes part in, and what is free of a layer; pure.

A layer is a namespace in GrowthBook's sense: a unit has one place in it, by hash v1 over the layer's name (https://
docs.growthbook.io/lib/build-your-own), and takes part in those experiments whose range covers that place. Places in
two layers, and buckets of two seeds, are independent.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable

from ab.assignment import bucket, fnv1a32
from ab.experiment import Experiment, When

PLACES = 1_000
HOLDOUT_SEED = "holdout"
"""One for all experiments, so that it is always the same units that are held out."""
Range = tuple[float, float]


@functools.lru_cache(maxsize=65_536)
def place(layer: str, unit: str) -> float:
    """Where `unit` stands in a layer, in [0, 1) and steps of 1/1,000."""
    return fnv1a32(f"{unit}__{layer}") % PLACES / PLACES


def takes_part(unit: str, layer: str, namespace: Range, holdout: float) -> bool:
    """Whether a unit is within the range of its layer, and not held out."""
    if holdout > 0 and bucket(HOLDOUT_SEED, unit) < holdout:
        return False
    return namespace == (0.0, 1.0) or namespace[0] <= place(layer, unit) < namespace[1]


def overlap(one: When, other: When) -> bool:
    """Whether a request can satisfy both."""
    named = ((one.alias, other.alias), (one.tenant, other.tenant))
    headers = {name.lower(): value for name, value in one.header.items()}
    clash = any(headers.get(name.lower(), value) != value for name, value in other.header.items())
    return not clash and all(None in pair or pair[0] == pair[1] for pair in named)


def rivals(new: Experiment, running: Iterable[Experiment]) -> list[Experiment]:
    """Those whose units `new` would take: in its layer, with requests and units that both could have."""
    return [one for one in running if one.id != new.id and one.layer == new.layer and overlap(one.when, new.when)
            and (one.unit != new.unit or _meet(one.namespace, new.namespace))]  # fmt: skip


def mixed_units(new: Experiment, running: Iterable[Experiment]) -> list[Experiment]:
    """Those of other layers that would hold of the same request with another kind of unit."""
    return [one for one in running if one.id != new.id and one.unit != new.unit and overlap(one.when, new.when)]


def free(new: Experiment, running: Iterable[Experiment]) -> list[Range]:
    """Ranges of its layer that no other experiment with requests like those of `new` takes."""
    taken = sorted(one.namespace for one in running
                   if one.id != new.id and one.layer == new.layer and overlap(one.when, new.when))  # fmt: skip
    found, edge = [], 0.0
    for low, high in taken:
        if low > edge:
            found.append((edge, low))
        edge = max(edge, high)
    return [*found, (edge, 1.0)] if edge < 1 else found


def _meet(one: Range, other: Range) -> bool:
    return max(one[0], other[0]) < min(one[1], other[1])
