"""A round that waits for traffic to bring the held-out rows that its gate wants, where the gate is set to wait."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from deploy.life.gate import LEAST
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
    if not _wanted(context) or not path.is_file():
        return
    said = read_json(path)
    if 0 <= wall() - float(said["at"]) < LOOK_SECONDS:
        raise Unavailable(str(said["why"]))


def wait_for_rows(context: Context, holdout: Sequence[Row]) -> None:
    """Let the round wait where fewer rows are held out than the gate wants; of an unfit parent it wants but a few.

    Raises:
        Unavailable: it waits; the message says for what, and which setting judges on fewer.
    """
    counts, wanted = Counter(row.role for row in holdout), _wanted(context)
    there = {"general": counts["anchor"], "hard": counts["hard"]}
    lacking = [f"{there[name]} of {least} {name}" for name, least in wanted.items() if there[name] < least]
    if not lacking:
        return
    hint = "send more traffic" if context.unfit else "`gate.on_few: go` judges on fewer"
    why = f"waits for held-out prompts: {', '.join(lacking)}; {hint}"
    done = sum(min(there[name], least) for name, least in wanted.items())
    context.progress("select")(done, sum(wanted.values()), why)
    write_json(context.folder("select") / FILE, {"why": f"round {context.round.id} {why}", "at": wall()})
    raise Unavailable(f"round {context.round.id} {why}")


def _wanted(context: Context) -> dict[str, int]:
    """Held-out rows that are waited for, by slice: of an unfit parent those without which nothing can be judged."""
    gate = context.gate
    if gate is None:
        return {}
    if context.unfit:
        return {"general": LEAST["general"]}
    return {} if gate.on_few == "go" else {"general": gate.general_rows, "hard": gate.hard_rows}
