"""The benchmark's record as tables: on the terminal and on the page on benchmarks; and as bars."""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench.gateway import budget
from bench.gateway.candidates.earlier import AT
from bench.gateway.candidates.starting import ALL, BARE, TIMES, UNGUARDED, UNREDACTED
from bench.gateway.plan import HELD, together
from bench.gateway.record import BenchFigures
from bench.gateway.streaming import EVENTS, PAUSE_MS

WHY = f"""Why rates are missed: passing a request on costs CPython, uvloop and llhttp about as much as it costs the
bare ASGI peer, which does nothing else: some ten times what nginx takes (rows `asgi` and `{BARE}`). All that is on
comes on top, by the table of steps, and on one core it adds up; with a second core the process that records has its
own, and several workers share a port (table of workers). Processes that take turns on one core also find its caches
cold, and a request that wakes the loop alone costs more than one of many (rows c=1 and c=16): a rate that is held
below what the core could do, so that nothing is dropped, has both. What is left to try on this path is compiled code;
it is not done. The other misses have the same root. With 128 connections each waits for the others' turns, so that p99
is as many times that of `{BARE}` as a request costs. 35 times LiteLLM, and sglang-router, which is compiled, leave a
request less than half of what it takes with everything on. 1,000 slow streams bring 20,000 events a second, which take
`{BARE}` most of the core, so that what comes at once queues; with everything on the core is full, and exchanges are
dropped. Two workers share their cores, and caches, with load and engine.
"""
ToldRows = list[tuple[str, ...]]
VOID = math.nan
"""The figure of a row on which an event was dropped; no bound holds for it."""
RATES = ("workload", "candidate", "per s", "of nginx", "p50 ms", "p99 ms", "added p50", "added p99",
         "CPU us, loop + others", "CPU of nginx", "MB", "errors", "held s")  # fmt: skip
STREAMS = ("streams", "candidate", "held", "events/s", "delay p50 / p99 ms", "added p99", "first p50 / p99 ms",
           "gap p50 / p99 ms", "CPU us an event", "MB", "out of order / incomplete / errors", "dropped")  # fmt: skip
WORKERS = ("candidate", "workload", "per s", "CPU us, loop + others", "CPU of one with its share")
MEMORY = ("candidate", "minutes", "per s", "MB in each tenth of the time", "growth", "errors / dropped")
BUDGET = ("step", "CPU us")
CHANGES = ("up to this change", "revision", f"{BARE}: per s", "of nginx", "CPU us", f"{ALL}: per s", "of nginx",
           "CPU us", "p99 ms")  # fmt: skip
RATIOS = ("ratio, one core for the proxy", "measured", "asked", "")
SHORT, STREAM = map(str, HELD)
BARS = {"nginx": "#7a8699", "sglang": "#b3561e", "asgi": "#c9a227", "litellm": "#444444", BARE: "#1f5fbf",
        UNREDACTED: "#4a86d8", ALL: "#8fb5ea"}  # fmt: skip


def tables(report: BenchFigures) -> list[tuple[str, tuple[str, ...], ToldRows]]:
    """Title, head and rows of what was measured."""
    parts = report["parts"]
    found = [
        ("Beside what is asked", RATIOS, ratios(parts, report["workers"])),
        ("Requests and streams", RATES, rates(parts.get("rates", {}))),
        (f"Slow streams: {EVENTS} events each, one each {PAUSE_MS} ms", STREAMS, streams(parts.get("streams", {}))),
        ("Several workers", WORKERS, workers(parts.get("workers", {}), report["workers"])),
        ("Memory under a mixed load", MEMORY, memory(parts.get("memory", {}))),
        (f"What one exchange costs, {ALL}, {SHORT}", BUDGET, budget.rows(report, SHORT)),
        (
            f"What changes brought, {SHORT}, all in one run (`--since REVISIONS`)",
            CHANGES,
            changes(parts.get("changes", {}).get(SHORT, {})),
        ),
    ]
    return [(title, head, rows) for title, head, rows in found if rows]


def rates(part: BenchFigures) -> ToldRows:
    """The rows of rates; one on which an event was dropped is void."""
    rows: ToldRows = []
    for workload, found in part.items():
        direct, nginx = found.get("direct"), found.get("nginx")
        for name, r in found.items():
            if "failed" in r:
                rows.append((workload, name, "failed", r["failed"], *("" for _ in RATES[4:])))
                continue
            cpu = r["cpu_loop"] + r["cpu_others"]
            of_nginx = nginx["cpu_loop"] + nginx["cpu_others"] if nginx else 0.0
            rows.append((
                workload, name, "void" if r["dropped"] else f"{r['per_second']:.0f}", _times(_rate(r), _rate(nginx)),
                f"{r['p50']:.2f}", f"{r['p99']:.2f}", *_added(r, direct),
                f"{r['cpu_loop']:.0f} + {r['cpu_others']:.0f}",
                _times(cpu, of_nginx), f"{r['rss_mb']:.0f}", str(r["errors"]), f"{r['seconds']:.0f}",
            ))  # fmt: skip
    return rows


def streams(part: BenchFigures) -> ToldRows:
    """The rows of slow streams; one on which an event of ours was dropped is void."""
    rows: ToldRows = []
    for workload, found in part.items():
        direct = found.get("direct")
        for name, r in found.items():
            if "failed" in r:
                rows.append((workload, name, "failed", r["failed"], *("" for _ in STREAMS[4:])))
                continue
            added = "" if direct is None else f"{r['delay']['p99'] - direct['delay']['p99']:.2f}"
            rows.append((
                str(r["streams"]), name, str(r["held"]), "void" if r["dropped"] else f"{r['events_per_second']:.0f}",
                _lag(r["delay"]), added, _lag(r["first"]), _lag(r["gap"]),
                f"{r['cpu_loop']:.1f} + {r['cpu_others']:.1f}", f"{r['rss_mb']:.0f}",
                f"{r['disordered']} / {r['incomplete']} / {r['errors']}", str(r["dropped"]),
            ))  # fmt: skip
    return rows


def workers(part: BenchFigures, several: int) -> ToldRows:
    """The rows of several workers and of one with the share of one of them."""
    rows: ToldRows = []
    for load, name in together(several):
        r = part.get(str(load), {}).get(name)
        if r is None:
            continue
        of_one = _of_one(part, several, name.partition(TIMES)[0]) if TIMES in name else None
        rate = "void" if r["dropped"] else f"{r['per_second']:.0f}"
        cpu = "" if of_one is None or of_one is VOID else f"{of_one:.3f}"
        rows.append((name, str(load), rate, f"{r['cpu_loop']:.0f} + {r['cpu_others']:.0f}", cpu))
    return rows


def _of_one(part: BenchFigures, several: int, name: str) -> float | None:
    """CPU of a request with several workers over that with one."""
    (many, told), (one, _) = together(several)[:2]
    told = f"{name}{TIMES}{told.partition(TIMES)[2]}"
    found = {told: part.get(str(many), {}).get(told), name: part.get(str(one), {}).get(name)}
    return _share(found, told, name, _cpu)


def memory(part: BenchFigures) -> ToldRows:
    """The row of memory."""
    return [
        (name, f"{r['seconds'] / 60:.1f}", f"{r['per_second']:.0f}", " ".join(f"{mb:.0f}" for mb in r["rss_mb"]),
         "void" if r["dropped"] else f"{r['growth']:+.1%}", f"{r['errors']} / {r['dropped']}")
        for found in part.values()
        for name, r in found.items()
    ]  # fmt: skip


def changes(found: BenchFigures) -> ToldRows:
    """The rows of earlier states, the latest last, which is this one."""
    nginx = found.get("nginx")
    rows: ToldRows = []
    for name in (name for name in found if name.startswith(BARE + AT) or name == BARE):
        bare, everything = found[name], found.get(name.replace(BARE, ALL), {})
        row = [bare.get("subject", "this state"), name.partition(AT)[2]]
        for r in (bare, everything):
            if "per_second" not in r:
                row += ["failed", "", ""]
                continue
            row += [f"{_rate(r):.0f}" if _rate(r) else "void", _times(_rate(r), _rate(nginx)), f"{_cpu(r):.0f}"]
        rows.append((*row, f"{everything['p99']:.1f}" if "p99" in everything else ""))
    return rows


def ratios(parts: BenchFigures, several: int) -> ToldRows:
    """What was asked for, beside what was measured; `several` workers were compared with one."""
    short, stream = (parts.get("rates", {}).get(name, {}) for name in (SHORT, STREAM))
    beside = {1: "short, 0.5 KB, c=1", 128: "short, 0.5 KB, c=128"}
    one, many = (parts.get("rates", {}).get(name, {}) for name in beside.values())
    slow = parts.get("streams", {}).get("1000 slow streams", {})
    asked: list[tuple[str, float | None, float, bool]] = [
        *((f"{SHORT}: {name}, rate of nginx", _share(short, name, "nginx"), least, True)
          for name, least in ((BARE, 0.3), (UNREDACTED, 0.2), (UNGUARDED, 0.14), (ALL, 0.09))),
        (f"{SHORT}: {UNREDACTED}, rate of LiteLLM", _share(short, UNREDACTED, "litellm"), 35, True),
        (f"{SHORT}: {ALL}, rate of sglang-router", _share(short, ALL, "sglang"), 1, True),
        (f"{STREAM}: {ALL}, rate of LiteLLM", _share(stream, ALL, "litellm"), 40, True),
        (f"{STREAM}: {BARE}, CPU of nginx", _share(stream, BARE, "nginx", _cpu), 1.5, False),
        (f"{beside[1]}: {ALL}, added p50 ms", _less(one, ALL, "p50"), 0.3, False),
        (f"{beside[1]}: {ALL}, added p99 ms", _less(one, ALL, "p99"), 1.0, False),
        (f"{beside[128]}: {ALL}, p99 of bare", _share(many, ALL, BARE, lambda r: r["p99"]), 1.3, False),
        *((f"1,000 slow streams: {name}, added delay p99 ms", _less(slow, name, "delay"), 8.0, False)
          for name in ("nginx", BARE, ALL)),
        *((f"{several} workers: {name}, CPU a request of one worker's",
           _of_one(parts.get("workers", {}), several, name), 1.1, False) for name in (BARE, ALL)),
        *((f"mixed load: {name}, growth of memory", VOID if r["dropped"] else r["growth"], 0.02, False)
          for name, r in parts.get("memory", {}).get("mixed", {}).items()),
    ]  # fmt: skip
    return [
        (name, "void" if value is VOID else f"{value:.3g}", f"{'at least' if least else 'at most'} {limit:g}",
         "met" if (value >= limit if least else value <= limit) else "not met")
        for name, value, limit, least in asked
        if value is not None
    ]  # fmt: skip


def page(report: BenchFigures, table: Callable[[Sequence[tuple[str, ...]], tuple[str, ...]], str]) -> str:
    """The section of the page on benchmarks."""
    load = max((r["load"] for part in report["parts"].values() for found in part.values() for r in found.values()),
               default=0.0)  # fmt: skip
    said = (
        f"Texts: {report['texts']}. Load of the machine when a step began, at most: {load:.1f}. `{ALL}`: a key, an "
        "experiment, the guard, capture with redaction to the spool and a Redis, metrics"
        f"{', spans of 1 %' if report['spans'] else ''}, at a rate at which no event is dropped; a row on which one "
        f"was is void. `{BARE}` captures nothing. The proxy has one core, with all its threads; engine, load and Redis "
        "the other. `held`: for how long a rate was held, without an error; p99 bounds none. Bodies of 8 and 64 KB and "
        "streams of 512 are sent by 16 connections alone, and LiteLLM is asked only in the two workloads whose rate is "
        "held."
    )
    shown = "![Requests and streams a second beside nginx](benchmarks/gateway.svg)"
    told = [f"{title}:\n\n{table(rows, head)}" for title, head, rows in tables(report)]
    return "\n\n".join([said, shown, *told[:1], " ".join(WHY.split()), *told[1:]])


def show(report: BenchFigures, console: Console) -> None:
    """The tables, on a terminal."""
    for title, head, rows in tables(report):
        table = Table(*head, title=title)
        for row in rows:
            table.add_row(*row)
        console.print(table)


def plot(report: BenchFigures, path: Path) -> None:
    """Rates of nginx's in the two workloads in which they are held, as SVG: the same each time."""
    matplotlib = importlib.import_module("matplotlib")  # only here, since its import writes a cache of fonts
    with matplotlib.rc_context({"svg.hashsalt": "understudy", "svg.fonttype": "none", "font.size": 8}):
        figure = importlib.import_module("matplotlib.figure").Figure(figsize=(9, 2.6), layout="constrained")
        for axes, workload in zip(figure.subplots(1, 2), (SHORT, STREAM), strict=True):
            found = bars(report, workload)
            axes.barh([name for name, _ in found], [share for _, share in found],
                      color=[BARS[name] for name, _ in found])  # fmt: skip
            axes.invert_yaxis()
            axes.set_title(f"{workload}: rate, nginx = 1")
        figure.savefig(path, format="svg", metadata={"Date": None})


def bars(report: BenchFigures, workload: str) -> list[tuple[str, float]]:
    """Rates as shares of nginx's; of none what was void."""
    found = report["parts"].get("rates", {}).get(workload, {})
    shares = [(name, _share(found, name, "nginx")) for name in BARS]
    return [(name, share) for name, share in shares if share is not None and share is not VOID]


def _rate(r: BenchFigures | None) -> float:
    return 0.0 if r is None or "failed" in r or r["dropped"] else float(r["per_second"])


def _cpu(r: BenchFigures) -> float:
    return float(r["cpu_loop"] + r["cpu_others"])


def _share(found: BenchFigures, name: str, other: str, of: Callable[[BenchFigures], float] = _rate) -> float | None:
    ours, theirs = found.get(name), found.get(other)
    if ours is None or theirs is None or "failed" in ours or "failed" in theirs:
        return None
    return VOID if ours["dropped"] or theirs["dropped"] or not of(theirs) else of(ours) / of(theirs)


def _less(found: BenchFigures, name: str, what: str) -> float | None:
    ours, direct = found.get(name), found.get("direct")
    if ours is None or direct is None or "failed" in ours:
        return None
    if ours["dropped"]:
        return VOID
    if what == "delay":
        return float(ours["delay"]["p99"] - direct["delay"]["p99"])
    return float(ours[what] - direct[what])


def _times(one: float, other: float) -> str:
    return f"{one / other:.3f}" if one and other else ""


def _added(r: BenchFigures, direct: BenchFigures | None) -> tuple[str, str]:
    if direct is None:
        return "", ""
    return f"{r['p50'] - direct['p50']:.2f}", f"{r['p99'] - direct['p99']:.2f}"


def _lag(lag: BenchFigures) -> str:
    return f"{lag['p50']:.2f} / {lag['p99']:.2f}"
