"""Replies of everybody who answers in some cell of an experiment's switches, to one prompt: summed by unit. Pure.

Of each metric a unit's row has the first one's figure and what every further one has more; the group names experiment,
the versions that were asked, and phase, beside those of `feedback.kpis.paired`, whose versions have no `+`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ab.analysis.coalitions import CopiedUnits
from ab.experiment import Experiment
from ab.sequential.moments import Moments
from ab.switches import answers
from feedback.kpis.figures import Sums, product
from feedback.kpis.names import EXACT, FACTS
from feedback.kpis.paired import SAME, PairedSums, group_of_pairs

METRICS = ("similarity", EXACT, FACTS, "failed_checks", "quality", "length")
"""Of a reply: likeness to the teacher's, the same text, the same facts, whether a check failed, the quality check's
score, characters."""
BINARY = (EXACT, FACTS, "failed_checks")
"""Of these: a yes or no."""
VALUED = "valued"
"""Copies that everybody answered."""
MOST = 2
"""Who answers beside the first, at most."""
JOINT = "+"
"""Between the student's version and the candidate's in the name of a group; no version has it."""


def group_of_copies(experiment: str, phase: int, stable: str, candidate: str | None) -> str:
    """Name under which copies of a phase's units are summed that these versions answered."""
    return group_of_pairs(experiment, phase, f"{stable}{JOINT}{candidate or ''}")


def copied_cells(replies: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """What a copy adds to its unit's row: metrics of each reply, in the order of `switches.answers`."""
    first, *further = replies
    found = {VALUED: 1.0}
    for metric in METRICS:
        gaps = [one[metric] - first[metric] for one in further]
        found |= {_cell(metric, 0): first[metric], _differs(metric): float(abs(gaps[-1]) > SAME)}
        found |= {_cell(metric, at + 1): gap for at, gap in enumerate(gaps)}
    return found


def summed() -> set[tuple[str, str]]:
    """Cells whose products must be summed."""
    found = {(VALUED, VALUED)}
    for metric in METRICS:
        names = [VALUED, *(_cell(metric, at + 1) for at in range(MOST))]
        found |= {(min(a, b), max(a, b)) for a in names for b in names}
    return found


def copies_of(experiment: Experiment, counted: PairedSums) -> dict[str, list[CopiedUnits]]:
    """By metric the copies of an experiment, by phase and versions; `counted` holds pairs beside them."""
    further = len(answers(experiment.switches)) - 1
    groups = [sums for versions in counted.values() for name, sums in versions.items() if JOINT in name]
    return {metric: [_units(sums, metric, further) for sums in groups] for metric in METRICS} if groups else {}


def _units(sums: Sums, metric: str, further: int) -> CopiedUnits:
    names = [VALUED, *(_cell(metric, at + 1) for at in range(further))]
    units = round(sums.get(f"{VALUED}#", 0.0))
    if not units:
        return CopiedUnits(Moments.none(len(names)), 0.0, 0)
    products = [[sums.get(product(a, b), 0.0) for b in names] for a in names]
    moments = Moments.from_sums(units, [sums.get(name, 0.0) for name in names], products)
    differing = round(sums.get(f"{_differs(metric)}#", 0.0))
    return CopiedUnits(moments, sums.get(_cell(metric, 0), 0.0), differing, metric in BINARY)


def _cell(metric: str, at: int) -> str:
    return f"{metric}@{at}"


def _differs(metric: str) -> str:
    return f"{metric}@differs"
