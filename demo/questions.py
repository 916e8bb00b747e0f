"""What the report of `understudy up --until-swap` asks: prompts whose templates and values nobody was shown.

Run by `up` in a process of its own.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

from demo.world import stream
from serving.up.report.questions import FAMILIES, Purpose, QuestionFamily, ReportQuestion
from understudy.files import write_atomic

SEEDS: dict[QuestionFamily, int] = {"drift": 71, "general": 72}
FIRST_TOKENS, LOAD = (73, 24), (74, 32)
"""Seed and number of the prompts by which the engines' speed is taken."""


def questions(count: int) -> Iterator[ReportQuestion]:
    """`count` prompts to be judged of each family, and those for the speed."""
    for family in FAMILIES:
        yield from drawn("judged", family, SEEDS[family], count)
    yield from drawn("first_token", "general", *FIRST_TOKENS)
    yield from drawn("throughput", "general", *LOAD)


def drawn(purpose: Purpose, family: QuestionFamily, seed: int, count: int) -> Iterator[ReportQuestion]:
    """`count` held-out prompts of a seed."""
    for one in stream(seed, "eval", family, count):
        facts = tuple(fact.text for fact in one.facts)
        yield ReportQuestion(purpose=purpose, family=family, messages=one.messages, facts=facts)


def main(argv: list[str] | None = None) -> int:
    """Write the file."""
    parser = argparse.ArgumentParser(description=__doc__, epilog="example: python -m demo.questions --out rows.jsonl")
    parser.add_argument("--count", type=int, default=200, help="prompts of each family that are judged")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args(argv)
    write_atomic(options.out, "".join(row.model_dump_json() + "\n" for row in questions(options.count)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
