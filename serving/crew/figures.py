"""What the keeper of several workers counts; told on their page, since it opens none of its own."""

from __future__ import annotations

from collections import Counter

import msgspec

from serving.crew.keeper import Ending
from understudy.telemetry.board import Board
from understudy.telemetry.metrics import Metric
from understudy.telemetry.together import ToldMetric

REPLACED = Metric("understudy_gateway_workers_replaced_total", "counter", "Workers that were forked anew, where a"
                  " gateway has several, by how each came to its end; `hung` ones were killed for it.",
                  ("how",))  # fmt: skip
METRICS = (REPLACED,)
COUNTED: tuple[Ending, ...] = ("ended", "killed", "hung")


class Replaced:
    """Workers by how they ended, written to `place` of the board."""

    def __init__(self, board: Board, place: int) -> None:
        self._board, self._place = board, place
        self._counts = Counter[Ending](dict.fromkeys(COUNTED, 0))
        self._tell()

    def count(self, how: Ending) -> None:
        """One more, unless it was told to stop."""
        if how in self._counts:
            self._counts[how] += 1
            self._tell()

    def _tell(self) -> None:
        points = tuple((REPLACED.name, (("how", how),), float(number)) for how, number in self._counts.items())
        told = ToldMetric(REPLACED.name.removesuffix("_total"), REPLACED.kind, REPLACED.help, "sum", points)
        self._board.write(self._place, msgspec.msgpack.encode([told]))
