"""`understudy bench analyse`: what `experiment analyse` takes of time and memory on very many rows.

The rows are written for it: one a user, of two arms, with a primary KPI, a guardrail and the time of a request, so that
the sketch of its P99 is built, too. The command runs as a process of its own, which says its processor time and the
most memory that it held.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from bench.options import parser
from trials.system import ROOT
from understudy.files import write_json

FILE = """id: many-rows
arms: {teacher: 0.5, student: 0.5}
primary: {kpi: first_response_correct, test: non_inferiority, margin: 0.012}
guardrails: [{kpi: abnormal_termination, max_increase: 0.01}, {kpi: latency_p99, max_ratio: 1.3}]
stop: {planned_units: 45000}
"""
ARMS = ("teacher", "student")
AT_ONCE = 100_000
RUN = """
import resource, sys
from ab import commands
commands.analyse(sys.argv[1:])
peak = next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM"))
used = resource.getrusage(resource.RUSAGE_SELF)
print(peak, used.ru_utime + used.ru_stime, file=sys.stderr)
"""
"""Says KiB and seconds; `ru_maxrss` would begin with the memory of this process."""


def main(argv: list[str]) -> int:
    """Measure, print and perhaps keep the result."""
    made = parser("analyse", __doc__, "10,000 and 300,000 rows")
    made.add_argument("--rows", type=int, nargs="+", default=[100_000, 1_000_000, 10_000_000], help="so many each time")
    options = made.parse_args(argv)
    found = {"rows": [measure(count) for count in ([10_000, 300_000] if options.quick else options.rows)]}
    for row in found["rows"]:
        print(", ".join(f"{name} {value:,}" if name != "decision" else value for name, value in row.items()))
    if options.json:
        write_json(options.json, found)
    return 0


def measure(count: int) -> dict[str, Any]:
    """Seconds and MiB of one run over `count` rows.

    Raises:
        RuntimeError: it counted other units than there are.
    """
    with tempfile.TemporaryDirectory(prefix="understudy-bench-") as folder:
        file, rows = Path(folder) / "e.yaml", Path(folder) / "rows.jsonl"
        file.write_text(FILE, "utf-8")
        write(rows, count)
        started = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-c", RUN, str(file), "--data", str(rows)], cwd=ROOT, capture_output=True, text=True,
            check=True,
        )  # fmt: skip
        seconds = time.perf_counter() - started
        size = rows.stat().st_size
    told, (peak, cpu) = json.loads(done.stdout), done.stderr.split()[-2:]
    if sum(told["units"].values()) != count:
        raise RuntimeError(f"{told['units']} were counted of {count} units")
    return {
        "rows": count, "file_mib": round(size / 2**20), "seconds": round(seconds, 1),
        "processor_seconds": round(float(cpu), 1), "peak_mib": round(int(peak) / 1024), "decision": told["decision"],
    }  # fmt: skip


def write(path: Path, count: int) -> None:
    """The rows of `count` users; the same each time."""
    rng = np.random.default_rng(5)
    with path.open("w", encoding="utf-8") as file:
        for first in range(0, count, AT_ONCE):
            n = min(AT_ONCE, count - first)
            right, bad, seconds = rng.random(n) < 0.85, rng.random(n) < 0.01, rng.exponential(0.5, n)
            file.writelines(_lines(first, right.tolist(), bad.tolist(), seconds.tolist()))


def _lines(first: int, right: list[bool], bad: list[bool], seconds: list[float]) -> list[str]:
    return [
        f'{{"unit": "user-{first + n}", "arm": "{ARMS[(first + n) % 2]}", "first_response_correct": {int(yes)}, '
        f'"abnormal_termination": {int(broke)}, "latency": {took:.4f}}}\n'
        for n, (yes, broke, took) in enumerate(zip(right, bad, seconds, strict=True))
    ]
