"""The benchmark's report as the page on benchmarks shows it."""

from __future__ import annotations

from typing import Any

HEAD = ("workload", "candidate", "per s", "of nginx", "p50 ms", "p99 ms", "CPU us, loop + others", "MB", "errors")


def about(report: dict[str, Any]) -> str:
    """What stands above the table."""
    return (
        f"Texts: {report['texts']}. Load of the machine at the end: {report['load']:.1f}. `understudy-all`: a key, an "
        "experiment, capture with redaction to the spool and a Redis, metrics, at a rate at which no event is dropped; "
        "`understudy-guard`: the same behind the guard. `x2`: two workers on two cores; `a share`: one worker, with "
        "what each of several had."
    )


def rows(report: dict[str, Any]) -> list[tuple[str, ...]]:
    """The table's rows; a row on which an event was dropped is void."""
    return [
        (workload, name, "void" if r["dropped"] else f"{r['per_second']:.0f}",
         "" if r["of_nginx"] is None else f"{r['of_nginx']:.3f}", f"{r['p50']:.2f}", f"{r['p99']:.2f}",
         f"{r['cpu_loop']:.0f} + {r['cpu_others']:.0f}", f"{r['rss_mb']:.0f}", str(r["errors"]))
        for workload, found in report["workloads"].items()
        for name, r in found.items()
    ]  # fmt: skip
