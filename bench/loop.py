"""`understudy bench loop`: one turn of the loop from a fresh state, and what it was worth.

Runs `understudy up --until-swap` on a temporary state directory and prints its report as a table.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.options import folder_of
from serving.up.goal import OVERTIME_SECONDS
from trials.system import ROOT

TARGETS = {"ttft": ("at most", 0.65), "throughput": ("at least", 3.0), "memory": ("at most", 0.52)}
"""What row S9 of the requirements asks of the student on equal hardware, as a ratio to the teacher."""


def asked(name: str, ratio: float) -> tuple[str, str]:
    """What is asked of the ratio `name`, and whether it is met."""
    bound, target = TARGETS[name]
    met = ratio <= target if bound == "at most" else ratio >= target
    return f"{bound} {target}", "met" if met else "not met"


def main(argv: list[str]) -> int:
    """Entry point; returns the exit code of `up`."""
    parser = argparse.ArgumentParser(
        prog="understudy bench loop", description=__doc__, epilog="example: understudy bench loop --json loop.json"
    )
    parser.add_argument("--timeout", type=int, default=1800, help="seconds (default 1800)")
    parser.add_argument("--state", type=Path, help="state directory to keep (default: a temporary one)")
    parser.add_argument("--quick", action="store_true", help="accepted for uniformity: one turn is the least there is")
    parser.add_argument("--json", type=Path, help="write the report here")
    options = parser.parse_args(argv)
    with folder_of(options.state, "loop") as state, folder_of(None, "loop-report") as beside:
        report = options.json or beside / "report.json"
        command = [
            sys.executable, "-m", "understudy", "up", "--state", str(state.resolve()), "--until-swap",
            "--timeout", str(options.timeout), "--json", str(report.resolve()),
        ]  # fmt: skip
        code = subprocess.run(command, cwd=ROOT, timeout=options.timeout + OVERTIME_SECONDS).returncode
        if report.exists():
            show(json.loads(report.read_text()))
    return code


def show(report: dict[str, Any]) -> None:
    """The table; of a run that did not reach its goal, why."""
    if "why" in report:
        Console().print(f"not ok: {report['why']}", style="red", markup=False)
        return
    versions, seconds, swap = report["versions"], report["seconds"], report["swap"]
    table = Table(title=f"one turn of the loop: {versions['before']} -> {versions['after']}")
    table.add_column("figure")
    table.add_column("value", justify="right")
    table.add_row("ready / first drift request to live", f"{seconds['ready']:.0f} s / {seconds['drift_to_live']:.0f} s")
    table.add_row("stages", ", ".join(f"{n} {s:.0f} s" for n, s in seconds["stages"].items()))
    table.add_row("requests", ", ".join(f"{v} {n}" for n, v in report["requests"].items()))
    table.add_row(
        "longest gap with / without the swap", f"{swap['longest_gap']:.3f} / {swap['longest_gap_without']:.3f} s"
    )
    for name in ("agreement", "prefix", "facts"):
        for slice_name, row in report.get(name, {}).items():
            table.add_row(f"{name}, {slice_name}, before -> after", f"{row['before']:.3f} -> {row['after']:.3f}")
    for slice_name, rows in report.get("parts", {}).items():
        told = (f"{part} {row['before']:.3f} -> {row['after']:.3f}" for part, row in rows.items())
        table.add_row(f"agreement by token, {slice_name}", ", ".join(told))
    for name, ratio in report["student_vs_teacher"].items():
        if name in TARGETS:
            table.add_row(f"student / teacher {name}", f"{ratio:.2f} ({': '.join(asked(name, ratio))})")
    Console().print(table)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
