"""What benchmarks that simulate share: their options, their report and how it ends."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.options import finish, parser

Floats = NDArray[np.float64]


def simulate(
    name: str, description: str, drawn: str, quick: int, argv: list[str],
    measure: Callable[..., dict[str, Any]], show: Callable[[dict[str, Any]], None], parts: Collection[str] = (),
) -> int:  # fmt: skip
    """Read `--runs`, `--seed`, `--quick` (at most `quick` runs) and `--json`; report, in that file too, and show.

    `drawn` says what a run draws; `measure` takes runs and seed, and where there are `parts` those that are wanted:
    `--parts` takes the others from the file.
    """
    made = parser(name, description, f"{quick} {drawn} each")
    made.add_argument("--runs", type=int, default=1000, help=f"{drawn} drawn for each row (default 1000)")
    made.add_argument("--seed", type=int, default=7)
    if parts:
        made.add_argument("--parts", help=f"these alone, by comma, the others as in --json FILE: {','.join(parts)}")
    options = made.parse_args(argv)
    runs = min(options.runs, quick) if options.quick else options.runs
    if runs < 1:
        made.error("--runs must be at least 1")
    report: dict[str, Any] = {"runs": runs, "seed": options.seed}
    if parts and options.parts:
        chosen = options.parts.split(",")
        former = json.loads(options.json.read_text()) if options.json and options.json.exists() else {}
        if not set(chosen) <= set(parts) or {**former, **report} != former:
            made.error(f"--parts takes some of {', '.join(parts)}, and --json a report of as many runs and that seed")
        found = measure(runs, options.seed, chosen)
        report = {**former, **found, "seconds": {**former.get("seconds", {}), **found["seconds"]}}
    else:
        report |= measure(runs, options.seed)
    return finish(options, report, show)


def took(seconds: Mapping[str, float]) -> str:
    """How long the parts of a report took, in words."""
    each = ", ".join(f"{name.replace('_', ' ')} {of:.0f}" for name, of in seconds.items())
    return f"It took {sum(seconds.values()) / 60:.1f} minutes of one core; in seconds by part: {each}."
