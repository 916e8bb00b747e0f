"""The flood's figures as a table: on the terminal, and on the page of benchmarks."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from bench.breaker.breakdown import MOST_LATE, MOST_RATIO, REQUESTS
from bench.breaker.load import PATIENCE

HEAD = ("figure", "value", "asked")


def about(report: dict[str, Any]) -> str:
    """What stands above the table."""
    return (
        f"{report['requests']:,} attacks of up to 32k characters at {report['attacks_per_second']:g}/s over "
        f"{report['runs']} runs, beside {report['normal_per_second']:g} normal requests/s before engines of 50 ms on "
        "the other core, timed from the instant each was due; each run has one without the flood beside it. Load of "
        f"the machine at the end of a run, at most: {report['load']:.1f}."
    )


def rows(report: dict[str, Any]) -> list[tuple[str, str, str]]:
    """The table's rows: figure, value, what was asked and whether it is so."""
    degraded, normal, pause = report["degraded"], report["normal"], report["longest_pause_ms"]
    causes = ", ".join(f"{name} {n:,}" for name, n in sorted(degraded["causes"].items()))
    late = math.ceil(MOST_LATE * report["attacks"] / REQUESTS)
    found = [
        ("attacks / degraded replies", f"{report['attacks']:,} / {degraded['n']:,} ({causes})", ""),
        ("first byte of degraded replies, p50 / p99 / p99.9",
         f"{degraded['p50_ms']:.1f} / {degraded['p99_ms']:.1f} / {degraded['p999_ms']:.1f} ms", ""),
        ("first bytes above 200 ms, of degraded replies / of all attacks",
         f"{degraded['above_200_ms']} / {report['attacks_above_200_ms']}",
         _asked(f"at most {late:g}", report["attacks_above_200_ms"] <= late)),
        ("violations", str(report["violations"]), _asked("0", report["violations"] == 0)),
        ("failed attacks / failed normal requests",
         f"{report['failed'] - report['normal_failed']} / {report['normal_failed']}", ""),
        ("normal requests degraded", str(report["normal_degraded"]), ""),
        ("normal p99 with / without the flood, median ratio",
         f"{normal['with_flood_p99_ms']:.1f} / {normal['without_flood_p99_ms']:.1f} ms, {normal['ratio']:.2f}",
         _asked(f"at most {MOST_RATIO:g}", normal["ratio"] <= MOST_RATIO)),
    ]  # fmt: skip
    if pause["with_flood"] is not None:
        found.append(("longest pause of the event loop with / without",
                      f"{pause['with_flood']:.1f} / {pause['without_flood']:.1f} ms", ""))  # fmt: skip
    if "real" in report:
        found += [(f"real engines: {name}", value, "") for name, value, _ in rows(report["real"])]
    return found


def page(report: dict[str, Any], table: Callable[[Sequence[tuple[str, ...]], tuple[str, ...]], str]) -> str:
    """The section of the page."""
    return "\n\n".join([about(report), table(rows(report), HEAD), *reasons(report)])


def reasons(report: dict[str, Any]) -> list[str]:
    """What the runs themselves tell of figures that nothing was asked of, and what they do not."""
    calm = [pair["calm"] for pair in report["pairs"]]
    found = [
        f"Failed: a run keeps no status of a reply, and why these failed was not looked into; in the runs without the "
        f"flood {sum(one['normal_failed'] for one in calm)} of {sum(one['normal'] for one in calm):,} normal requests "
        f"did. Normal requests degraded: each run sends the same normal texts, and without the flood "
        f"{sum(one['normal_degraded'] for one in calm)} were degraded ({_causes(calm)})."
    ]
    if "real" in report:
        (pair,) = report["real"]["pairs"]
        found.append(
            f"Real engines: who has no reply after {PATIENCE:.0f} s has failed and counts with these {PATIENCE:.0f} s, "
            "in p99 and in its ratio as well. Load, gateway and engines have the same cores there, at a load of "
            f"{pair['flood']['load']:.0f} at the end with the flood and {pair['calm']['load']:.0f} without; what of "
            "the late replies, of the ratio and of the failed requests is due to that was not looked into."
        )
    return found


def _causes(runs: Sequence[dict[str, Any]]) -> str:
    causes = Counter[str]()
    for run in runs:
        causes.update(run["causes"])
    return ", ".join(f"by the {name} {n}" for name, n in sorted(causes.items())) or "none"


def _asked(what: str, met: bool) -> str:
    return f"{what}: {'met' if met else 'not met'}"
