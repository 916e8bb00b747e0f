"""Shadow pairs of an experiment's units: the quality of both replies to one prompt, summed by unit. Pure.

A pair tells of the student's version in it, so its group names experiment, version and phase. What the two replies are
compared by is the quality check's score, the one that either reply has without the other.
"""

from __future__ import annotations

from collections.abc import Mapping

from ab.experiment import Experiment
from ab.running.phases import Phase
from ab.sequential.pairs import PairedUnits
from feedback.events import Verdict
from feedback.kpis.figures import Sums, product
from feedback.kpis.ratios import CellRatio, side

SAME = 1e-9
"""Scores that differ by less are the same."""
GAP, TEACHER, STUDENT = (CellRatio(cell, "scored", False) for cell in ("gap", "score.teacher", "score.student"))
SCORED = (GAP, TEACHER, STUDENT)
"""Student less teacher, and each of them, over pairs."""
PairedSums = Mapping[int, Mapping[str, Sums]]
"""{phase: {student's version: sums over distinct units}}."""


def group_of_pairs(experiment: str, phase: int, student: str) -> str:
    """Name under which the pairs of a phase's units are summed."""
    return f"paired:{experiment}:{student}:{phase}"


def score_cells(verdict: Verdict) -> dict[str, float]:
    """What a pair adds to its unit's row; nothing where quality was not looked at."""
    if "quality" not in verdict.checked:
        return {}
    gap = verdict.quality_student - verdict.quality_teacher
    return {
        "scored": 1.0, "gap": gap, TEACHER.above: verdict.quality_teacher, STUDENT.above: verdict.quality_student,
        "differing": float(abs(gap) > SAME), "ahead": float(gap > SAME),
    }  # fmt: skip


def pairs_of(
    experiment: Experiment, arms: tuple[str, str], phases: Mapping[int, Phase], counted: PairedSums
) -> list[PairedUnits] | None:
    """By phase what pairs say of the second arm less the first; None unless one of them is the teacher's.

    Only pairs of the version that the student's arm served in that phase, of a candidate beside it none.
    """
    serves = [experiment.serves.get(arm) for arm in arms]
    if serves.count("teacher") != 1:
        return None
    student, turned = arms[serves.index("teacher") - 1], serves[1] == "teacher"
    found = []
    for number, versions in sorted(counted.items()):
        phase = phases.get(number)
        version = "" if phase is None else phase.versions.get(student, "").partition(",")[0]
        if version in versions:
            found.append(_units(versions[version], turned))
    return found


def _units(sums: Sums, turned: bool) -> PairedUnits:
    differing, ahead = round(sums.get("differing", 0.0)), round(sums.get("ahead", 0.0))
    if not turned:
        return PairedUnits(side(sums, GAP), side(sums, TEACHER), side(sums, STUDENT), differing, ahead)
    back = {name: -sums.get(name, 0.0) for name in ("gap", product("gap", "scored"))}
    other = side({**sums, **back}, GAP)
    return PairedUnits(other, side(sums, STUDENT), side(sums, TEACHER), differing, differing - ahead)
