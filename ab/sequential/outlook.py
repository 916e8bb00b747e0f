"""What would have to happen for the answer to change. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator

from ab.experiment import Experiment, Primary
from ab.sequential.bounds import ConfidenceSequence
from ab.sequential.decision import Comparison, ExperimentResult
from ab.sequential.judging import KpiFinding, RailFinding, sequence_of
from ab.sequential.words import scale_of

FARTHEST = 1_000
"""Times the present units: what needs more is not at hand."""


def outlook(experiment: Experiment, result: ExperimentResult) -> list[str]:
    """One sentence for each way from this decision to another."""
    if result.decision == "sample-ratio alarm":
        return ["nothing that units do: find what assigns or loses them, then begin with another id"]
    if result.decision == "stop for harm":
        return ["nothing: the harm is proven for all looks together; change what harms, then begin with another id"]
    if result.decision == "stop for futility":
        return [
            "more planned units under another id, or another question; what was seen so far cannot be counted again"
        ]
    found = [line for pair in result.comparisons for line in _of_pair(experiment, pair, len(result.comparisons))]
    if result.decision == "ship":
        return [
            *(line for line in found if "harm" in line),
            "else nothing: the intervals hold at every later look, too",
        ]
    if experiment.primary is None:
        return [*found, "nothing ends it but harm and `understudy experiment stop`: the file names no primary KPI"]
    stop = experiment.stop
    seen = sum(result.units.values())
    left = max(0, stop.planned_units - seen)
    return [*found, f"it stops for futility after {left:,} more units, or {stop.max_days:g} days after its beginning"]


def _of_pair(experiment: Experiment, pair: Comparison, comparisons: int) -> Iterator[str]:
    asked, found = experiment.primary, pair.primary
    alpha = experiment.stop.alpha / max(1, comparisons)
    if asked is not None and found is not None:
        yield from _of_primary(asked, found, pair.new, sequence_of(asked, alpha, experiment.stop.planned_units))
    for rail in pair.guardrails:
        yield _of_rail(rail, pair)


def _of_primary(asked: Primary, found: KpiFinding, new: str, sequence: ConfidenceSequence) -> Iterator[str]:
    if found.verdict == "too few" or not math.isfinite(found.effect.error):
        yield f"{found.kpi}: nothing is concluded before each arm has enough units with it"
        return
    scale, unit = scale_of(found)
    sign = 1.0 if asked.direction == "higher" else -1.0
    value = sign * found.effect.value
    better, worse = (found.always.lower, found.always.upper) if sign > 0 else (found.always.upper, found.always.lower)
    proof, harm = _edges(asked)
    if found.verdict != "proven" and asked.test != "equivalence":
        yield (
            f"{new} is proven when the end of the interval of {found.kpi} that is now at {scale * better:+.2f}{unit} "
            f"passes {scale * sign * proof:+.2f}: {_more(value - proof, found, sequence)}"
        )
    elif found.verdict != "proven":
        yield (
            f"{new} is proven when the whole interval of {found.kpi} lies within {scale * asked.margin:.2f}{unit}: "
            f"{_more(asked.margin - abs(value), found, sequence)}"
        )
    yield (
        f"it stops for harm when the end that is now at {scale * worse:+.2f}{unit} passes {scale * sign * harm:+.2f}: "
        f"{_more(harm - value, found, sequence)}"
    )


def _edges(asked: Primary) -> tuple[float, float]:
    """Above what the interval must lie to prove what is asked, and below what to be harm; higher is better."""
    if asked.test in ("non_inferiority", "equivalence"):
        return -asked.margin, -asked.margin
    return asked.beyond, 0.0


def _more(gap: float, found: KpiFinding, sequence: ConfidenceSequence) -> str:
    n = found.effect.n
    needed = units_until(gap, found.effect.error, n, sequence)
    if needed is None:
        return "not at the present effect"
    return f"about {max(1, needed - n):,} more units at the present effect" if needed > n else "it has"


def units_until(gap: float, error: float, n: int, sequence: ConfidenceSequence) -> int | None:
    """Units at which the half-width falls below `gap` if effect and spread stay; None: never, or too many."""
    if n < 1 or not gap > 0 or not 0 < error < math.inf:
        return None

    def wide(units: int) -> bool:
        return sequence.half_width(error * math.sqrt(n / units), units) >= gap

    low, high = n, n * FARTHEST
    if not wide(low):
        return n
    if wide(high):
        return None
    while high - low > max(1, low // 200):
        middle = (low + high) // 2
        low, high = (middle, high) if wide(middle) else (low, middle)
    return high


def _of_rail(rail: RailFinding, pair: Comparison) -> str:
    name = f"guardrail {rail.kpi} ({rail.limit}) of {pair.new}"
    if rail.verdict == "safe":
        return f"{name} is safe; it would be harm when the lower end, now at {rail.lower:+.4g}, passes {rail.edge:+.4g}"
    if rail.verdict == "too few" or not math.isfinite(rail.lower):
        return f"{name} has too few units; without it nothing ships"
    return f"{name} is safe when the upper end, now at {rail.upper:+.4g}, passes {rail.edge:+.4g}"
