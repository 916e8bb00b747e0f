"""`understudy bench NAME`: a table of benchmarks, each loaded on use."""

from __future__ import annotations

import importlib
from collections.abc import Callable

from understudy.errors import UsageError

BENCHMARKS: dict[str, tuple[str, str]] = {
    "loop": (
        "bench.loop:main",
        "one turn of the loop from a fresh state: time, agreement, swap, the arms",
    ),
    "swap": ("bench.swap:main", "swaps and rollbacks under streams: failures, gaps, seconds to follow, memory"),
    "gateway": ("bench.gateway.main:main", "the request path beside nginx in one run, bare and with everything on"),
    "round": (
        "bench.distil_round:main",
        "one round without engines: agreement and facts before and after",
    ),
    "gate": ("bench.gate:main", "how often the gate lets pass what lost so much, simulated on the deployed rule"),
    "judging": ("bench.judging:main", "seconds that parent and candidate take on 1,000 held-out rows"),
    "safety": ("bench.safety:main", "how well rules tell refusals, and who complies with too much to pass the gate"),
    "rounds": (
        "bench.rounds:main",
        "round after round without engines: what each wins, and what it loses of what was known",
    ),
    "alone": ("bench.alone:main", "`up` left alone for some rounds: what its students have lost of what was known"),
    "real": (
        "bench.real.main:main",
        "a language model that nobody here trained and a cut of it: agreement by minutes of rounds, cost of serving",
    ),
    "statistics": (
        "bench.statistics:main",
        "how often results that are looked at all the time err: peeking, power, clusters, sample ratio",
    ),
    "faults": (
        "bench.faults.main:main",
        "kills, stops, cut logs, bad links, full disk, clocks: is each event there once, in order",
    ),
    "outage": (
        "bench.faults.outage:main",
        "the bus away for minutes under load: what clients notice, what memory it takes, what arrives",
    ),
    "kpis": ("bench.kpis:main", "what one event costs the worker's Redis: microseconds and bytes"),
    "breaker": (
        "bench.breaker.main:main",
        "a flood of attacks beside normal requests: first bytes of degraded replies, what normal requests notice",
    ),
    "guard": ("bench.guard.main:main", "attacks caught by family, harmless texts caught by language, evasions, speed"),
    "analyse": ("bench.analyse:main", "`experiment analyse` on up to ten million rows: seconds and memory"),
    "redaction": ("bench.redaction:main", "personal values found by kind and language, harmless texts changed, speed"),
    "losses": ("bench.losses:main", "the distillation loss against the plain one: tokens/s and memory"),
}


def main(argv: list[str]) -> int:
    """Run the benchmark that the first word names; without one, list them."""
    if not argv or argv[0] in ("-h", "--help"):
        print("usage: understudy bench NAME [--quick] [--json FILE] [...]\n")
        for name, (_, what) in BENCHMARKS.items():
            print(f"  {name:<10}{what}")
        print("\nexample: understudy bench swap --quick --json swap.json")
        return 0
    if argv[0] not in BENCHMARKS:
        raise UsageError(f"`{argv[0]}` is not a benchmark; there are: {', '.join(BENCHMARKS)}")
    module, _, name = BENCHMARKS[argv[0]][0].partition(":")
    run: Callable[[list[str]], int] = getattr(importlib.import_module(module), name)
    return run(argv[1:])
