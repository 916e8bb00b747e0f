"""What the report of `understudy up --until-swap` asks: turns of dialogues that are never played.

Family `drift` are later turns of a dialogue, `general` its first ones; a cut student was taught neither.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

from examples.smollm2.dialogues import HELD_OUT, customer_turns
from serving.up.report.questions import FAMILIES, Purpose, QuestionFamily, ReportQuestion
from understudy.files import write_atomic

TIMED: tuple[tuple[Purpose, int], ...] = (("first_token", 24), ("throughput", 32))


def questions(count: int) -> Iterator[ReportQuestion]:
    """Up to `count` prompts to be judged of each family, and those for the speed."""
    known = customer_turns(HELD_OUT)
    for family in FAMILIES:
        chosen = [messages for name, messages in known if name.endswith("/0") == (family == "general")]
        yield from (asked("judged", family, messages) for messages in chosen[:count])
    for purpose, number in TIMED:
        yield from (asked(purpose, "general", messages) for _, messages in known[:number])


def asked(purpose: Purpose, family: QuestionFamily, messages: tuple[dict[str, str], ...]) -> ReportQuestion:
    """One of them; no fact is known that a reply must state."""
    return ReportQuestion(purpose=purpose, family=family, messages=messages)


def main(argv: list[str] | None = None) -> int:
    """Write the file."""
    parser = argparse.ArgumentParser(
        description=__doc__, epilog="example: python -m examples.smollm2.questions --out rows.jsonl"
    )
    parser.add_argument("--count", type=int, default=200, help="prompts of each family that are judged")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_known_args(argv)[0]
    write_atomic(options.out, "".join(row.model_dump_json() + "\n" for row in questions(options.count)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
