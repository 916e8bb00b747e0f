"""The flood's figures as a table: on the terminal, and on the page of benchmarks."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from bench.breaker.breakdown import MOST_LATE, MOST_RATIO, REQUESTS

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
    return f"{about(report)}\n\n{table(rows(report), HEAD)}"


def _asked(what: str, met: bool) -> str:
    return f"{what}: {'met' if met else 'not met'}"
