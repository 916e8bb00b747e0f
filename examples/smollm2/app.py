"""Customers who say what those of a file of dialogues said, one turn at a time, with what was said before it.

The replies in between are those of the file; what is asked of the models is the next one.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
from pathlib import Path

from demo.app import Application, AskNext, CustomerAsk, parser
from examples.smollm2.dialogues import SAMPLE, CustomerTurns, customer_turns
from understudy.errors import UnderstudyError

FAMILY = "dialogue"
UNDER_WAY = 4.0
"""Requests at once, on average at most: an engine takes four together in hardly more time than one."""


def drawing(known: CustomerTurns) -> AskNext:
    """Draws a turn, each as likely as the others."""

    def draw(chance: random.Random, elapsed: float) -> CustomerAsk:
        name, messages = chance.choice(known)
        return CustomerAsk(name, FAMILY, "en", messages)

    return draw


def options(argv: list[str] | None) -> argparse.Namespace:
    """Those of the demo application, and the file of dialogues."""
    made = parser()
    made.set_defaults(under_way=UNDER_WAY)
    made.add_argument("--prompts", type=Path, default=SAMPLE, help="dialogues, a JSON row each (%(default)s)")
    return made.parse_known_args(argv)[0]


def main(argv: list[str] | None = None) -> int:
    """Run until a signal."""
    given = options(argv)
    given.out.parent.mkdir(parents=True, exist_ok=True)
    try:
        draw = drawing(customer_turns(given.prompts))
    except UnderstudyError as error:
        print(error.message, file=sys.stderr)
        return error.exit_code
    asyncio.run(Application(given, draw).run())
    return 0


if __name__ == "__main__":
    sys.exit(main())
