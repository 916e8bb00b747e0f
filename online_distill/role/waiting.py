"""A round that waits for traffic to bring the held-out rows that its gate wants, where the gate is set to wait."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from online_distill.data.rows import Row
from online_distill.role.context import Context
from understudy.clock import wall
from understudy.errors import Unavailable
from understudy.files import read_json, write_json

LOOK_SECONDS = 60.0
"""Between two looks at whether there are enough by now: each asks the parent about many prompts."""
FILE = "waits.json"


def still_waiting(context: Context) -> None:
    """Go on waiting without a look while the last one is recent.

    Raises:
        Unavailable: it waits.
    """
    path = context.folder("select") / FILE
    if context.gate is None or context.gate.on_few == "go" or not path.is_file():
        return
    said = read_json(path)
    if 0 <= wall() - float(said["at"]) < LOOK_SECONDS:
        raise Unavailable(str(said["why"]))


def wait_for_rows(context: Context, holdout: Sequence[Row]) -> None:
    """Let the round wait where fewer rows are held out than the gate wants.

    Raises:
        Unavailable: it waits; the message says for what, and which setting judges on fewer.
    """
    gate = context.gate
    if gate is None or gate.on_few == "go":
        return
    counts = Counter(row.role for row in holdout)
    wanted = {"general": (counts["anchor"], gate.general_rows), "hard": (counts["hard"], gate.hard_rows)}
    lacking = [f"{n} of {least} {name}" for name, (n, least) in wanted.items() if n < least]
    if not lacking:
        return
    why = f"waits for held-out prompts: {', '.join(lacking)}; `gate.on_few: go` judges on fewer"
    there = sum(min(n, least) for n, least in wanted.values())
    context.progress("select")(there, sum(least for _, least in wanted.values()), why)
    write_json(context.folder("select") / FILE, {"why": f"round {context.round.id} {why}", "at": wall()})
    raise Unavailable(f"round {context.round.id} {why}")
