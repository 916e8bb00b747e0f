"""`understudy bench alone`: `understudy up` left alone for some rounds, and what its students still know.

Real engines, the demo's traffic, the gate and the canary as they are deployed. Afterwards every student that was live
is judged in this process on prompts whose templates and values are new, against the one that was live at the start.
Given the same --state a run that was stopped goes on where it was; rounds that lie there are judged without another.
"""

from __future__ import annotations

import sys
import time
from argparse import Namespace
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table as Shown

from bench.exam import Exam, bits, lost
from bench.options import finish, folder_of, parser
from deploy.registry.store import Registry
from deploy.rounds.record import Round
from deploy.rounds.store import FileRounds
from online_distill import models
from online_distill.data.encoding import Encoder
from online_distill.role.config import TrainerConfig
from trials.system import System
from understudy.config import load_config
from understudy.state import StateDir

LOOK = 2.0
"""Seconds between two looks at the rounds."""
RIGHT = ("exact", "facts")
"""What a general reply is judged by: every token the teacher's, and the facts that it states."""


def over(state: StateDir) -> list[Round]:
    """The rounds that have ended, oldest first."""
    return sorted((one for one in FileRounds(state).all() if one.finished), key=lambda one: one.id)


def leave_alone(state: StateDir, rounds: int, seconds: float) -> None:
    """Run `up` until so many rounds lie in the state directory.

    Raises:
        TimeoutError: there are fewer after `seconds`.
    """
    end = time.monotonic() + seconds
    if len(over(state)) >= rounds:
        return
    console = Console(stderr=True)
    system = System(state.root)
    try:
        system.wait_ready()
        seen = -1
        while (found := len(over(state))) < rounds:
            if found != seen:
                console.print(f"{found} of {rounds} rounds are over", highlight=False)
            seen = found
            if time.monotonic() > end or system.process.poll() is not None:
                raise TimeoutError(f"{found} of {rounds} rounds were over when `up` ended:\n{system.tail()}")
            time.sleep(LOOK)
    finally:
        system.stop()


def course(state: StateDir, rounds: Sequence[Round], mark: Callable[[str], dict[str, Any]]) -> list[dict[str, Any]]:
    """A row for the student at the start, and one for each round: how it ended, who was live then, its marks."""
    live = rounds[0].parent
    marked = {live: mark(live)}
    rows = [{"round": 0, "live": live, **marked[live]}]
    for one in rounds:
        if one.candidate and one.state == "done":
            live = one.candidate
            marked[live] = mark(live)
        rows.append({"round": one.id, "state": one.state, "candidate": one.candidate, "live": live, **marked[live]})
    return rows


def marks(exam: Exam, registry: Registry, version: str) -> dict[str, Any]:
    """What a version can do, with a digit for each general prompt."""
    Console(stderr=True).print(f"judging {version} ...", highlight=False)
    found = exam.marks(models.load(registry.path(version)))
    general = found["general"]
    parts = {name: one.figures() for name, one in found.items()}
    return {"parts": parts, "exact": bits(general.exact), "facts": bits(general.facts)}


def told(start: dict[str, Any], row: dict[str, Any], what: str) -> str:
    """Share of general prompts that are right, and what was lost of it since the start."""
    share = row["parts"]["general"][what]
    if row is start:
        return f"{share:.3f}"
    found = lost(start[what], row[what])
    return (
        f"{share:.3f} ({found.lost} lost, {found.won} won, p {found.harm:.3f}, at most {100 * found.bound(0.05):.1f})"
    )


def cells(rows: Sequence[dict[str, Any]]) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Head and lines of the table."""
    new = [name for name in rows[0]["parts"] if name != "general"]
    lines = [
        (
            str(row["round"]), row.get("state", "start"), row["live"], *(told(rows[0], row, what) for what in RIGHT),
            *(f"{row['parts'][name]['exact']:.2f}" for name in new),
        )
        for row in rows
    ]  # fmt: skip
    return ("round", "ended", "live", *(f"general, {what}" for what in RIGHT), *(f"{one}, exact" for one in new)), lines


def show(report: dict[str, Any]) -> None:
    """The table."""
    head, lines = cells(report["rows"])
    table = Shown(title="`understudy up`, left alone")
    for column in head:
        table.add_column(column)
    for line in lines:
        table.add_row(*line)
    Console().print(table)


def page(report: dict[str, Any], table: Callable[[Sequence[tuple[str, ...]], tuple[str, ...]], str]) -> str:
    """The section of the page of benchmarks."""
    rows = report["rows"]
    head, lines = cells(rows)
    general = rows[0]["parts"]["general"]["n"]
    each = next(part["n"] for name, part in rows[0]["parts"].items() if name != "general")
    return "\n\n".join([
        f"`understudy up`, real engines and the demo's traffic, until {len(rows) - 1} rounds had ended. Judged "
        f"afterwards on {general} general prompts and {each} of each new kind, all with new templates and values. In "
        "brackets what was lost since the start: prompts, the exact one-sided McNemar test that it is chance, and the "
        "upper end of the points lost (one-sided 95 %). A round takes its new rows from all four new kinds at once.",
        table(lines, head),
        "The recipe and the gate of the first loop stand beside today's under [Round after round](#round-after-round), "
        "where both get the same traffic.",
    ])  # fmt: skip


def parsed(argv: list[str]) -> Namespace:
    """Options of the command."""
    made = parser("alone", __doc__, "one round, few prompts to judge by")
    made.add_argument("--rounds", type=int, default=3, help="that end before it is judged (%(default)s)")
    made.add_argument("--seconds", type=float, default=3600, help="for all of them (%(default)g)")
    made.add_argument("--judge", type=int, default=1000, help="general prompts (%(default)s)")
    made.add_argument("--judge-new", type=int, default=150, help="prompts of each new kind (%(default)s)")
    made.add_argument("--state", type=Path, help="state directory to keep (default: a temporary one)")
    options = made.parse_args(argv)
    if options.rounds < 1:
        made.error("--rounds: at least 1")
    if options.quick:
        options.rounds, options.judge, options.judge_new = 1, 100, 30
    return options


def main(argv: list[str]) -> int:
    """Entry point."""
    options = parsed(argv)
    with folder_of(options.state, "alone") as root:
        state = StateDir(root)
        leave_alone(state, options.rounds, options.seconds)
        models.prepare(load_config(None).section(TrainerConfig).threads)
        rounds, registry = over(state)[: options.rounds], Registry(state)
        teacher, student = (registry.path(name) for name in (rounds[0].teacher, rounds[0].parent))
        exam = Exam(Encoder(student), models.load(teacher), options.judge, options.judge_new, state.run)
        rows = course(state, rounds, lambda version: marks(exam, registry, version))
    return finish(options, {"rows": rows}, show)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
