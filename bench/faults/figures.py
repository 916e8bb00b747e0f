"""The figures of a run as rows of the page of benchmarks."""

from __future__ import annotations

from typing import Any


def fault_rows(report: dict[str, Any]) -> list[tuple[str, str]]:
    """What was played, and what became of the events."""
    return [
        ("events / faults", f"{report['events']} / {report['faults']}"),
        ("acknowledged / refused", f"{report['acknowledged']} / {report['refused']}"),
        ("lost / doubled / out of order", f"{report['lost']} / {report['doubled']} / {report['out_of_order']}"),
        *_unspooled(report),
        ("faults by kind", _counts(report["by_fault"])),
        ("faults by victim", _counts(report["kills"])),
        ("not played here", "; ".join(f"{k}: {v}" for k, v in report["skipped"].items()) or "nothing"),
        ("numbers that the product counted as lost", _counts(report["counted_lost"])),
        ("until all had their effects, after the last fault", f"{report['settled_seconds']:.0f} s"),
        *((f"Redis with appendfsync {policy}: 20 events of 700 bytes a call",
           f"{row['per_second']:.0f} events/s, p50 {row['p50_ms']:.1f} ms, p99 {row['p99_ms']:.1f} ms")
          for policy, row in report["appendfsync"].items()),
    ]  # fmt: skip


def _counts(found: dict[str, int]) -> str:
    """`name n` of each, by name."""
    return ", ".join(f"{name} {count}" for name, count in sorted(found.items()))


def _unspooled(report: dict[str, Any]) -> list[tuple[str, str]]:
    """What kills took before a commit; of runs before that was told by the gateways' clock, the number alone."""
    if "commit_ms" not in report:
        return [("never acknowledged when a gateway was killed", str(report["unspooled"]))]
    return [
        ("unspooled: in the memory of a gateway that was killed, for how long",
         f"{report['unspooled']} events; {_milliseconds(report['unspooled_ms'])}"),
        ("from a gateway's taking an event to its commit, of all", _milliseconds(report["commit_ms"])),
        ("never taken by a gateway, since it was killed before", str(report["unsent"])),
    ]  # fmt: skip


def _milliseconds(found: dict[str, float]) -> str:
    return ", ".join(f"{name} {value:g} ms" for name, value in found.items())
