"""`understudy bench judging`: how long parent and candidate take to be judged on held-out rows, as a round judges them.

Rows are general prompts of the demo's shop with the teacher's replies at hand; each model makes one forward pass of
each, on one thread. Both are the same student, which changes no time.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

from bench.options import finish, parser
from demo.world import stream
from online_distill import models
from online_distill.data.rows import Row
from online_distill.evaluate.judging import judge
from trials.system import ROOT

ROWS, QUICK = 1000, 20
STUDENT = ROOT / "demo" / "registry" / "students" / "v2"
MAX_LENGTH = 512


def rows(count: int) -> list[Row]:
    """So many general rows."""
    return [
        Row(
            id=s.id, exchange=s.id, role="anchor", weight=1.0, lang=s.lang, messages=list(s.messages),
            teacher_text=s.reply, student_text="",
        )
        for s in stream(5, "eval", "general", count)
    ]  # fmt: skip


def measure(count: int, student: Path = STUDENT) -> dict[str, Any]:
    """Seconds of the clock and of the processor for both models, and what else the machine had to do (its load)."""
    models.prepare(1)
    judged, load = rows(count), os.getloadavg()[0]
    began, used = time.monotonic(), time.process_time()
    found, _ = judge(judged, student, student, max_length=MAX_LENGTH, device=torch.device("cpu"))
    took = {"seconds": time.monotonic() - began, "processor_seconds": time.process_time() - used}
    return {"rows": len(found.rows), **{name: round(value, 2) for name, value in took.items()}, "load": round(load, 1)}


def said(report: dict[str, Any]) -> str:
    """The report as a sentence."""
    return (
        f"Parent and candidate were judged on {report['rows']} general rows in {report['seconds']:.1f} s, of which "
        f"{report['processor_seconds']:.1f} s of the processor, on one thread; the machine's load was {report['load']}."
    )


def page(report: dict[str, Any]) -> str:
    """The section of the page of benchmarks."""
    return f"{said(report)} Each is loaded from its files first. Wanted are at most 10 s for 1,000 rows."


def main(argv: list[str]) -> int:
    """Entry point."""
    given = parser("judging", __doc__, f"{QUICK} rows instead of {ROWS}").parse_args(argv)
    report = measure(QUICK if given.quick else ROWS)
    return finish(given, report, lambda told: Console().print(said(told)))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
