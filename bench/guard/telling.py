"""The guard's figures as tables: on the terminal, and on the page of benchmarks."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.guard.languages import DEGRADED, averages, by_language
from bench.guard.surrounded import SHORT

LANGUAGES, LATE = "By language", "Harmless requests at a fixed rate, through a gateway"
"""Titles of tables under which something is said."""
BY_LANGUAGE = (
    "The rows of judged attacks are sums of the table by family below. Evasions and texts that look hidden were not "
    "counted by language, nor were intervals of the averages over families left out. Why the Chinese figures miss "
    "what was asked: [the card](guard-model.md#what-it-misses)."
)
ROWS = (
    "Each request is a row of the shared data, in an order by chance: a dialogue up to a turn of its user, all "
    "messages of which are judged, or an instruction. Of 17,493 rows 6,922 are instructions, a far larger share than "
    "of the turns above, and rows that the weights learned from are among them."
)
TALLY = ("n", "caught", "share", "upper 95 %", "degraded", "upper 95 %")


def tally(row: dict[str, Any]) -> tuple[str, ...]:
    """Cells of counts."""
    return (
        f"{row['n']:,}",
        f"{row['caught']:,}",
        f"{row['share']:.2%}",
        f"{row['caught_upper']:.2%}",
        f"{row['degraded']:,}",
        f"{row['degraded_upper']:.3%}",
    )


def tables(report: dict[str, Any]) -> list[tuple[str, tuple[str, ...], list[tuple[str, ...]]]]:
    """Title, head and rows of each table that the report has."""
    found: list[tuple[str, tuple[str, ...], list[tuple[str, ...]]]] = []

    def add(title: str, head: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
        if rows:
            found.append((title, head, rows))

    sums = [(name, *tally(report[key])) for name, key in SUMS.items() if key in report]
    add("In all", ("rows", *TALLY), sums)
    spoken = [(title, language, *tally(row), asked) for title, language, row, asked in by_language(report)]
    add(LANGUAGES, ("rows", "language", *TALLY, "asked"), spoken)
    told = [*report.get("rows", ()), *report.get("chinese", ())]
    for label, title in (("attack", "Attacks, by family"), ("benign", "Hard harmless texts, by family")):
        rows = [(row["family"], row["language"], *tally(row)) for row in told if row["label"] == label]
        add(title, ("family", "language", *TALLY), rows)
    turns = [(row["source"], row["language"], *tally(row)) for row in report.get("turns", ())]
    turns += [("all of a language", row["language"], *tally(row)) for row in report.get("turns_by_language", ())]
    add("Turns of dialogues and instructions", ("source", "language", *TALLY), turns)
    add(
        f"Attacks of at most {SHORT} characters within harmless turns",
        ("language", "characters around", "caught alone", "still are", "share", "without attack", "share"),
        [
            (row["language"], f"{row['around']:,}", str(row["n"]), str(row["caught"]), f"{row['share']:.1%}",
             str(row["harmless_caught"]), f"{row['harmless_share']:.1%}")
            for row in report.get("surrounded", ())
        ],
    )  # fmt: skip
    add(
        "Texts that look hidden",
        ("kind", *TALLY),
        [(row["kind"], *tally(row)) for row in report.get("looks_hidden", ())],
    )
    add(
        "Evasions",
        ("evasion", "were caught", "still are", "share", "harmless", "caught", "share"),
        [
            (row["evasion"], str(row["n"]), str(row["caught"]), f"{row['share']:.1%}", str(row["benign"]),
             str(row["benign_caught"]), f"{row['benign_share']:.1%}")
            for row in report.get("evasions", ())
        ],
    )  # fmt: skip
    if left := report.get("left_out"):
        title = f"Left out of learning (worst: {left['worst']})"
        add(title, ("left out", "n", "recall", "95 % interval or asked"), _left_out(left, averages(report)))
    add(
        "Microseconds of the processor, median of new texts",
        ("language", "characters", "texts", "guard", "plain pass", "ratio", "asked"),
        [
            (row["language"], f"{row['length']:,}", str(row["texts"]), f"{row['median']:.0f}",
             f"{row['plain_pass']:.0f}", f"{row['ratio']:.2f}", f"{row['asked']:.0f}" if row["asked"] else "")
            for row in report.get("microseconds", ())
        ],
    )  # fmt: skip
    if "deadline" in report:
        add(LATE, ("figure", "value"), _late(report["deadline"]))
    return found


def _late(told: dict[str, Any]) -> list[tuple[str, ...]]:
    others = ", ".join(f"{stage} {n}" for stage, n in sorted(told["degraded_by_stage"].items())) or "none"
    return [
        ("requests / per second / failed", f"{told['requests']:,} / {told['rate']:g} / {told['failed']}"),
        (f"degraded by the deadline of {told['deadline_ms']:g} ms, asked: at most 1 in {1 / told['asked']:,.0f}",
         _bounded(told)),
        ("degraded by other stages", others),
        ("first byte, p50 / p99, before an engine of 50 ms",
         f"{told['first_byte_p50_ms']:.1f} / {told['first_byte_p99_ms']:.1f} ms"),
        ("longest pause of the event loop", f"{told['longest_pause_ms']:.1f} ms"),
        ("texts / longest body / load of the machine at the end",
         f"{told['source']} / {told['longest_body']:,} bytes / {told['load']:.1f}"),
    ]  # fmt: skip


def _bounded(told: dict[str, Any]) -> str:
    """How many were late, and what so many requests can show."""
    found = f"{told['degraded_by_deadline']}: {'met' if told['share'] <= told['asked'] else 'not met'}"
    bound = f"upper 95 % bound {told['upper']:.3%}"
    if told["share"] > told["asked"] or told["upper"] <= told["asked"]:
        return f"{found} ({bound})"
    times, enough = told["upper"] / told["asked"], round(NO_CASE / told["asked"], -3)
    return (
        f"{found} by the count, not shown: of {told['requests']:,} requests the {bound} is {times:.0f} times what is "
        f"asked; about {enough:,.0f} without a case would show it"
    )


NO_CASE = 3.0
"""Of so many expected cases none happens with a probability of 5 %."""
WIDTH = 130
"""Characters of a line, at least."""
SUMS = {
    "judged attacks (jailbreak, injection, extraction, encoding)": "judged",
    "hard harmless texts": "hard_benign",
    "turns of dialogues and instructions": "turns_all",
}


def _left_out(left: dict[str, Any], spoken: Sequence[tuple[str, float, str]]) -> list[tuple[str, ...]]:
    """Families, those of them that were left out with what is written of their kind, averages, those of one language
    (`spoken`), and whole kinds."""
    rows: list[tuple[str, ...]] = [(row["family"], str(row["n"]), *_interval(row)) for row in left["families"]]
    rows += [
        (f"{row['family']}, and what is written in Chinese of its kind", str(row["n"]), f"{row['strict']:.1%}", "")
        for row in left["families"]
        if "strict" in row
    ]
    rows.append((f"macro average of {left['macro']['families']}", "", *_interval(left["macro"])))
    rows += [(name, "", f"{share:.1%}", asked) for name, share, asked in spoken]
    if "strict" in left:
        rows.append(("macro average with those as above", "", *_interval(left["strict"])))
    return rows + [(f"the whole kind {row['kind']}", str(row["n"]), *_interval(row)) for row in left["kinds"]]


def _interval(row: dict[str, Any]) -> tuple[str, str]:
    return f"{row['recall']:.1%}", f"{row['lower']:.1%} to {row['upper']:.1%}"


def page(report: dict[str, Any], table: Callable[[Sequence[tuple[str, ...]], tuple[str, ...]], str]) -> str:
    """The section of the page."""
    said = (
        "Caught: flagged or degraded. Rows of the guard sets are judged by models that saw neither them nor their "
        "groups (the same plain text, goal or template, or MinHash similarity of 0.7); turns, Chinese rows, evasions "
        "and speed by the shipped weights, which saw none of those turns; `--speed` takes the microseconds alone, "
        "anew, as was done here on a machine with other work. The card: [guard-model.md](guard-model.md)."
    )
    parts = [f"{title}:\n\n{table(rows, head)}{_note(report, title)}" for title, head, rows in tables(report)]
    return "\n\n".join([said, *parts])


def _note(report: dict[str, Any], title: str) -> str:
    """What is to be said under a table of figures of the shared data."""
    if title == LANGUAGES and "chinese" in report:
        return f"\n\n{BY_LANGUAGE}"
    if title != LATE or report["deadline"]["source"] != "shared data":
        return ""
    sources = ", ".join(f"{row['degraded']} of {row['source']}" for row in report.get("turns", ()) if row["degraded"])
    of_turns = f" Of those turns were degraded: {sources}." if sources else ""
    others, requests = sum(report["deadline"]["degraded_by_stage"].values()), report["deadline"]["requests"]
    share = (
        f" The {others / requests:.2%} that other stages degraded is a share of such requests and no estimate for "
        f"turns, of which {DEGRADED:.1%} is asked; which requests they were the run does not keep."
    )
    return f"\n\n{ROWS}{of_turns}{share}"


def show(report: dict[str, Any]) -> None:
    """The tables on the terminal."""
    console = Console(highlight=False, file=sys.stdout)
    console.width = max(console.width, WIDTH)
    for title, head, rows in tables(report):
        held = Table(*head, title=title, title_justify="left")
        for row in rows:
            held.add_row(*row)
        console.print(held)
