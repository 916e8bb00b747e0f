"""Write docs/benchmarks.md, the figures of README and docs/statistics.md from docs/benchmarks/: `python -m bench.page`.

No figure of that page is written by hand: each table is made from the JSON that its command left.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from typing import Any

from bench import alone, covering, judging, plots, redaction, rollouts, rounds_page, safety, shadow
from bench.breaker import telling as flood
from bench.faults.figures import fault_rows
from bench.faults.outage import outage_rows
from bench.gateway import telling as carrying
from bench.guard import telling as guarding
from bench.loop import TARGETS, asked
from bench.real import telling
from bench.simulating import took
from trials.system import ROOT

FOLDER = ROOT / "docs" / "benchmarks"
PAGE = ROOT / "docs" / "benchmarks.md"
README = ROOT / "README.md"
STATISTICS = ROOT / "docs" / "statistics.md"
BEGIN, END = "<!-- figures: written by `python -m bench.page` -->", "<!-- end of figures -->"
Report = dict[str, Any]


def table(rows: Sequence[tuple[str, ...]], head: tuple[str, ...]) -> str:
    """A Markdown table."""
    return "\n".join("| " + " | ".join(line) + " |" for line in [head, tuple("---" for _ in head), *rows])


def loop(report: Report) -> str:
    """One turn of the loop."""
    seconds, swap, requests = report["seconds"], report["swap"], report["requests"]
    rows = [
        ("start until both arms serve", f"{seconds['ready']:.0f} s"),
        ("first drift request until the new student is live", f"{seconds['drift_to_live']:.0f} s"),
        ("stages", ", ".join(f"{name} {value:.1f} s" for name, value in seconds["stages"].items())),
        ("requests sent / failed / truncated / of mixed version",
         " / ".join(str(requests[k]) for k in ("sent", "failed", "truncated", "mixed_version"))),
        ("longest gap with the swap / without", f"{swap['longest_gap']:.3f} s / {swap['longest_gap_without']:.3f} s"),
        ("pause of the swap (their difference, 0 at least)", f"{swap['pause']:.3f} s"),
        ("hard samples", str(report["hard"]["total"])),
        ("canary decided by", report["canary"]["decided_by"]),
    ]  # fmt: skip
    slices = [
        (f"{name}, {part}", *(f"{row[one]:.3f}" if one in row else "" for one in ("before", "after", "teacher")))
        for name in ("agreement", "prefix", "facts")
        for part, row in report.get(name, {}).items()
    ]
    slices += [
        (f"agreement of {sort} tokens, {part}", f"{row['before']:.3f}", f"{row['after']:.3f}", "")
        for part, found in report.get("parts", {}).items()
        for sort, row in found.items()
    ]
    student = report["student_vs_teacher"]
    ratios = [(name, f"{student[name]:.2f}", *asked(name, student[name])) for name in TARGETS]
    return "\n\n".join([
        table(rows, ("figure", "value")),
        "Judged on held-out prompts, whose templates and entity values occur neither in training nor in the traffic "
        "(a template is a pair of a context and a question, of which each occurs; amounts are held out as pairs): "
        + ", ".join(f"{count} {part}" for part, count in report["prompts"].items()),
        table(slices, ("slice", "student before", "student after", "teacher")),
        "Student against teacher on this machine, beside what row S9 of the requirements asks on equal hardware:",
        table(ratios, ("ratio student / teacher", "measured", "asked", "")),
    ])  # fmt: skip


def swap(report: Report) -> str:
    """Swaps and rollbacks under load."""
    gap = report["gap"]
    rows = [
        ("requests / failed / truncated / of mixed version",
         " / ".join(str(report[k]) for k in ("requests", "failed", "truncated", "mixed_version"))),
        *((f"longest gap seen by a client {name} swaps, p50 / p99 / longest",
           " / ".join(f"{gap[name][k]:.3f} s" for k in ("p50", "p99", "longest"))) for name in ("with", "without")),
        *((f"{n}: seconds p50 / p99", f"{row['p50']:.3f} / {row['p99']:.3f}") for n, row in report["seconds"].items()),
        ("prompts whose replies tell any two of the three versions apart",
         "{told_apart} of {prompts}".format(**report["reference"])),
        ("memory of all processes before / after", " / ".join(f"{v >> 20} MiB" for v in report["memory"].values())),
    ]  # fmt: skip
    return table([("swaps / rollbacks", f"{report['swaps']} / {report['rollbacks']}"), *rows], ("figure", "value"))


def losses(report: Report) -> str:
    """The loss beside the plain one."""
    rows = [
        (name, f"{row['tokens_per_second']:.0f}", f"{row['mib']:.0f}", f"{row['nats']:.5f}")
        for name, row in report.items()
        if name != "size"
    ]
    size = "{tokens} tokens, vocabulary {vocabulary}, width {width}, one thread.".format(**report["size"])
    return size + "\n\n" + table(rows, ("method", "tokens/s", "memory MiB", "loss in nats"))


def gate(report: Report) -> str:
    """What the gate lets pass, beside the rule of the first loop."""
    rows = report["rows"]
    lost = [row for row in rows if row["case"] == "loss"]
    by_net = {row["net"]: {r["rule"]: f"{r['passes']:.1%}" for r in lost if r["net"] == row["net"]} for row in lost}
    losses = [(f"{100 * net:.0f} points", found["default"], found["first"]) for net, found in by_net.items()]
    kind = [(row["rule"], f"{row['passes']:.1%}") for row in rows if row["case"] == "one kind"]
    beside = [row for row in rows if row["case"] == "beside a new kind"]
    hidden = [
        (f"{100 * net:.0f} points", *(f"{row['passes']:.1%}" for row in beside if row["net"] == net))
        for net in sorted({row["net"] for row in beside})
    ]
    churn = [row for row in rows if row["case"] == "churn"]
    shares = sorted({row["gain"] for row in churn})
    equal = [
        (str(n), *(f"{row['passes']:.1%}" for row in sorted(churn, key=lambda r: r["gain"]) if row["n"] == n))
        for n in sorted({row["n"] for row in churn})
    ]
    needed = {row["gain"]: str(row["rows_needed"]) for row in churn}
    return "\n\n".join([
        f"{report['runs']} simulated evaluations each, seed {report['seed']}, judged by the code that is deployed. At "
        "400 general rows, 0.5 % of the replies changing each way by chance, so many points of exact replies lost:",
        table(losses, ("net loss", "passes", "passed by the rule of the first loop")),
        "At 1,000 rows in 17 kinds, 40 points lost in one kind of 40 rows and nothing elsewhere:",
        table(kind, ("rule", "passes")),
        "240 rows of known kinds beside 160 of new ones, of which the parent fails nine in ten and the candidate half; "
        "so many points lost on the known ones. The third column is without the clause that judges known kinds apart:",
        table(hidden, ("lost on known kinds", "passes", "without that clause", "first")),
        "A candidate that is no worse passes, by general rows and by the share of replies that change each way by "
        "chance. Below 400 rows the margin widens with the square root of the rows, which the record then says; the "
        "last line is the number of rows with which nine in ten pass.",
        table([*equal, ("needed", *(needed[share] for share in shares))],
              ("rows", *(f"{100 * share:.0f} %" for share in shares))),
    ])  # fmt: skip


def statistics(report: Report) -> str:
    """How often results that are looked at all the time err."""
    rows = [
        (f"{row['base']:g}", f"{100 * (1 - row['share']):.0f}/{100 * row['share']:.0f}", f"{row['effect']:g}",
         f"{row['error']:.3f}", f"{row['naive']:.3f}")
        for row in report["peeking"]
    ]  # fmt: skip
    power, users, ratio = report["power"], report["clustered"], report["sample_ratio"]
    width = power["width_ratio"]
    figures = [
        ("units planned for 80 % power, always valid / fixed horizon",
         f"{power['planned_units']:,} / {power['fixed_units']:,}"),
        ("share that concludes by then; units at which half of those have", f"{power['power']:.3f}; "
         f"{power['units_median']:,.0f}"),
        ("width of the interval at the planned units, of a fixed horizon's, two-sided / one-sided",
         f"{width['two_sided']:.2f} / {width['one_sided']:.2f}"),
        ("A/A with ten requests a user, error when judged by user / by request",
         f"{users['by_user']:.3f} / {users['by_request']:.3f}"),
        (f"sample-ratio alarms at any of {ratio['looks']:,} looks: fair shares / a twentieth of one arm lost",
         f"{ratio['fair']:.3f} / {ratio['lost']:.3f}"),
    ]  # fmt: skip
    return "\n\n".join([
        f"{report['runs']:,} simulated experiments a row, seed {report['seed']}, {report['looks']:,} looks at up to "
        f"{report['units']:,} units, alpha {report['alpha']:g}. Experiments in which any look leaves the truth out:",
        table(rows, ("base rate", "shares", "true effect", "always valid", "fixed horizon, peeked at")),
        *covering.page(report, table),
        table(figures, ("figure", "measured")),
        *rollouts.page(report, table),
        *shadow.page(report, table),
        took(report["seconds"]),
    ])  # fmt: skip


def faults(report: Report) -> str:
    """Faults against the load generator's own ledger."""
    return table(fault_rows(report), ("figure", "value"))


def outage(report: Report) -> str:
    """The bus away under load, beside a gateway whose bus was not."""
    said = (
        f"{report['rate']:.0f} requests/s to each of two gateways, whose buses are apart; the bus of the first was "
        f"stopped for {report['away_seconds'] / 60:g} minutes. What else the machine did met both: read along a row."
    )
    return said + "\n\n" + table(outage_rows(report), ("figure", "its bus away", "beside it"))


def summary() -> str:
    """The README's table, from the results of the loop and of the swaps."""
    rows: list[tuple[str, ...]] = []
    if (FOLDER / "loop.json").exists():
        report = json.loads((FOLDER / "loop.json").read_text())
        drift_to_live = f"{report['seconds']['drift_to_live']:.0f} s"
        rows.append(("first question of the new kind until the new student is live", drift_to_live, ""))
        for part, label in (("drift", "new kind of question"), ("general", "taught questions")):
            for name in ("agreement", "prefix", "facts"):
                row = report[name][part]
                rows.append((f"{label}: {name}", f"{row['before']:.3f} -> {row['after']:.3f}", ""))
        counts = report["requests"]
        lost = " / ".join(str(counts[k]) for k in ("failed", "truncated", "mixed_version"))
        rows.append(("pause of the swap", f"{report['swap']['pause']:.3f} s", "below 0.5 s"))
        rows.append((f"of {counts['sent']} requests: failed / truncated / of mixed version", lost, "0 / 0 / 0"))
        for name in TARGETS:
            value = report["student_vs_teacher"][name]
            rows.append((f"student / teacher: {name}", f"{value:.2f}", ": ".join(asked(name, value))))
    if (FOLDER / "swap.json").exists():
        report = json.loads((FOLDER / "swap.json").read_text())
        lost = " / ".join(str(report[k]) for k in ("failed", "truncated", "mixed_version"))
        title = f"{report['swaps']} swaps and {report['rollbacks']} rollbacks under {report['requests']} requests"
        rows.append((f"{title}: failed / truncated / mixed", lost, "0 / 0 / 0"))
        gap = f"{report['gap']['difference']:.3f} s"
        rows.append(("longest gap with swaps less without (below 0: none seen)", gap, "below 0.5 s"))
        rows.append(("all gateways follow, p99", f"{report['seconds']['follow']['p99']:.3f} s", "at most 1 s"))
    return table(rows, ("figure", "before -> after, or value", "asked"))


def between(page: str, text: str) -> str:
    """The page with `text` between its markers.

    Raises:
        ValueError: it has none.
    """
    if page.count(BEGIN) != 1 or page.count(END) != 1:
        raise ValueError(f"the page needs {BEGIN} and {END} once each")
    head, tail = page.partition(BEGIN)[0], page.partition(END)[2]
    return f"{head}{BEGIN}\n{text}\n{END}{tail}"


def of_statistics(report: Report) -> str:
    """The tables of docs/statistics.md under their picture, with the command that measures them."""
    _, command, render = SECTIONS["statistics"]
    picture = "![Errors under peeking, rollbacks by chance, requests until a rollback](benchmarks/statistics.svg)"
    return f"\n`{command}`\n\n{picture}\n\n{render(report)}\n"


SECTIONS: dict[str, tuple[str, str, Callable[[Report], str]]] = {
    "loop": ("One turn of the loop", "understudy up --until-swap --json docs/benchmarks/loop.json", loop),
    "swap": ("Swaps and rollbacks under eight streams", "understudy bench swap --json docs/benchmarks/swap.json", swap),
    "gateway": (
        "The request path",
        "understudy bench gateway --peers nginx,asgi,sglang,litellm --json docs/benchmarks/gateway.json",
        lambda report: carrying.page(report, table),
    ),
    "gate": ("What the gate lets pass", "understudy bench gate --json docs/benchmarks/gate.json", gate),
    "judging": ("Judging a round", "understudy bench judging --json docs/benchmarks/judging.json", judging.page),
    "safety": (
        "What ought to be refused",
        "understudy bench safety --json docs/benchmarks/safety.json",
        lambda report: safety.page(report, table),
    ),
    "statistics": (
        "Results that are looked at all the time",
        "understudy bench statistics --json docs/benchmarks/statistics.json",
        statistics,
    ),
    "rounds": (
        "Round after round",
        "understudy bench rounds --seeds 0,1,2 --judge-new 600 --state DIR --json docs/benchmarks/rounds.json",
        lambda report: rounds_page.page(report, table),
    ),
    "rounds-short": (
        "Recipes beside each other, on shorter rounds and less traffic",
        "understudy bench rounds --steps 150 | --minutes 0.4 --new 160 --general 500 --judge 400 --judge-new 50 "
        "--json docs/benchmarks/rounds-short.json",
        lambda report: rounds_page.page(report, table),
    ),
    "alone": (
        "Left alone",
        "understudy bench alone --rounds 4 --judge-new 300 --json docs/benchmarks/alone.json",
        lambda report: alone.page(report, table),
    ),
    "attribute": (
        "What a round learned from",
        "understudy bench rounds --rounds 1 --recipes default --steps 120 --new 160 --general 500 --judge 100 "
        "--judge-new 30 --state DIR; understudy rounds attribute 1 --players hard,replay,hold --state DIR/default-0 "
        "--json > docs/benchmarks/attribute.json",
        lambda report: rounds_page.attribution(report, table),
    ),
    "real": (
        "A real language model",
        "understudy bench real OPTIONS --state DIR --json docs/benchmarks/real.json",
        lambda report: telling.page(report, table),
    ),
    "guard": (
        "The guard",
        "understudy bench guard --json docs/benchmarks/guard.json",
        lambda report: guarding.page(report, table),
    ),
    "redaction": (
        "What the redactor takes of the interpreter",
        "understudy bench redaction --json docs/benchmarks/redaction.json",
        lambda report: redaction.page(report, table),
    ),
    "breaker": (
        "A flood of attacks",
        "understudy bench breaker --real --json docs/benchmarks/breaker.json",
        lambda report: flood.page(report, table),
    ),
    "losses": ("The distillation loss", "understudy bench losses --json docs/benchmarks/losses.json", losses),
    "faults-redis": (
        "Kills, cut logs, bad links, a full disk and jumping clocks, on Redis",
        "understudy bench faults --bus redis --json docs/benchmarks/faults-redis.json",
        faults,
    ),
    "faults-kafka": (
        "The same, on Kafka",
        "understudy bench faults --bus kafka --json docs/benchmarks/faults-kafka.json",
        faults,
    ),
    "outage-redis": (
        "The bus away for minutes, on Redis",
        "understudy bench outage --bus redis --json docs/benchmarks/outage-redis.json",
        outage,
    ),
    "outage-kafka": (
        "The bus away for minutes, on Kafka",
        "understudy bench outage --bus kafka --json docs/benchmarks/outage-kafka.json",
        outage,
    ),
}


def benchmarks() -> str:
    """docs/benchmarks.md, from the results that are there."""
    parts = [
        "# Benchmarks",
        "Made by `python -m bench.page` from the JSON files in `docs/benchmarks/`; each section names its command. "
        "Machines are noisy and shared: compare within a table. The demo models' own figures are in their cards, "
        "`demo/models/teacher/README.md` and beside the students.",
    ]
    for name, (title, command, render) in SECTIONS.items():
        if (file := FOLDER / f"{name}.json").exists():
            report = json.loads(file.read_text())
            machine = report.get("machine") or {}
            on = f"\n\nOn {machine['cores']} cores, {machine['processor']}." if "cores" in machine else ""
            parts.append(f"## {title}\n\n`{command}`{on}\n\n{render(report)}")
    return "\n\n".join(parts) + "\n"


def main() -> int:
    """Write the pages."""
    PAGE.write_text(benchmarks())
    README.write_text(between(README.read_text(), summary()))
    report = json.loads((FOLDER / "statistics.json").read_text())
    STATISTICS.write_text(between(STATISTICS.read_text(), of_statistics(report)))
    plots.statistics(report, FOLDER / "statistics.svg")
    if (file := FOLDER / "gateway.json").exists():
        carrying.plot(json.loads(file.read_text()), FOLDER / "gateway.svg")
    print("wrote docs/benchmarks.md, the figures of README.md and those of docs/statistics.md")
    return 0


if __name__ == "__main__":
    sys.exit(main())
