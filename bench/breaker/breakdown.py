"""What came of a run in numbers that add, and the report of all runs. Pure."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from bench.breaker.load import Answered

LATE = 0.2
"""Seconds to a first byte that are too many."""
MOST_LATE, MOST_RATIO = 20, 1.5
"""First bytes above `LATE` that are allowed of 30,000; normal p99 with the flood by that without it."""
REQUESTS = 30_000
SUMS = (
    "attacks", "attacks_served", "attacks_above_200_ms", "violations", "failed", "normal_failed", "normal_degraded",
)  # fmt: skip
"""Counts of runs with the flood that the report adds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FloodRun:
    """One run, with the flood or without; milliseconds."""

    attacks: int
    attacks_served: int
    causes: dict[str, int]
    """Degraded replies by what their header said."""
    above_200_ms: int
    attacks_above_200_ms: int
    """All attacks, those that were served among them."""
    violations: int
    failed: int
    """Requests that were not answered by 200; of attacks, those that no engine takes are among them."""
    normal: int
    normal_failed: int
    normal_degraded: int
    normal_p99_ms: float
    pause_ms: float | None
    """The longest of the gateway's event loop; None: it was not listened to."""
    first_byte: dict[str, int]
    """Degraded replies by tenths of a millisecond to their first byte."""
    load: float

    @classmethod
    def of(cls, found: Sequence[Answered], pause: float | None, load: float) -> FloodRun:
        """Of what came of each request; `pause` in seconds, `load` of the machine at the end."""
        degraded = [one for one in found if one.degraded]
        normal = [one for one in found if not one.due.attack]
        return cls(
            attacks=len(found) - len(normal), attacks_served=sum(one.due.attack and not one.degraded for one in found),
            causes=dict(Counter(one.degraded for one in degraded)),
            above_200_ms=sum(one.first_byte > LATE for one in degraded),
            attacks_above_200_ms=sum(one.due.attack and one.first_byte > LATE for one in found),
            violations=sum(not one.compliant for one in degraded), failed=sum(one.status != 200 for one in found),
            normal=len(normal), normal_failed=sum(one.status != 200 for one in normal),
            normal_degraded=sum(bool(one.degraded) for one in normal),
            normal_p99_ms=1000 * quantile(sorted(one.first_byte for one in normal), 0.99),
            pause_ms=None if pause is None else 1000 * pause,
            first_byte={
                str(tenths): n
                for tenths, n in sorted(Counter(round(1e4 * one.first_byte) for one in degraded).items())
            },
            load=load,
        )  # fmt: skip


Pair = tuple[FloodRun, FloodRun]
"""With the flood, and without it."""


def kept(pairs: Mapping[int, Pair]) -> list[dict[str, Any]]:
    """Runs as they are written to a file."""
    return [{"run": number, "flood": asdict(one), "calm": asdict(other)} for number, (one, other) in pairs.items()]


def known(rows: Sequence[dict[str, Any]]) -> dict[int, Pair]:
    """Runs by number, of what `kept` made."""
    return {row["run"]: (FloodRun(**row["flood"]), FloodRun(**row["calm"])) for row in rows}


def figures(pairs: Sequence[Pair]) -> dict[str, Any]:
    """The report of runs with and without the flood; milliseconds."""
    floods, calms = [flood for flood, _ in pairs], [calm for _, calm in pairs]
    first, causes = Counter[int](), Counter[str]()
    for run in floods:
        first.update({int(tenths): n for tenths, n in run.first_byte.items()})
        causes.update(run.causes)
    every = [tenths / 10 for tenths in sorted(first.elements())]
    return {
        "degraded": {
            "n": len(every), "causes": dict(causes), "p50_ms": quantile(every, 0.5), "p99_ms": quantile(every, 0.99),
            "p999_ms": quantile(every, 0.999), "above_200_ms": sum(run.above_200_ms for run in floods),
        },
        **{name: sum(getattr(run, name) for run in floods) for name in SUMS},
        "normal": {
            "with_flood_p99_ms": statistics.median(run.normal_p99_ms for run in floods),
            "without_flood_p99_ms": statistics.median(run.normal_p99_ms for run in calms),
            "ratio": statistics.median(flood.normal_p99_ms / calm.normal_p99_ms for flood, calm in pairs),
        },
        "longest_pause_ms": {"with_flood": _longest(floods), "without_flood": _longest(calms)},
        "load": max(run.load for pair in pairs for run in pair),
    }  # fmt: skip


def quantile(ordered: Sequence[float], share: float) -> float:
    """The smallest value that is not below `share` of all; 0 of none."""
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


def _longest(runs: Sequence[FloodRun]) -> float | None:
    return max((run.pause_ms for run in runs if run.pause_ms is not None), default=None)
