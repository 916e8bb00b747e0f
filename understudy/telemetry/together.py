"""One page of metrics for several processes that do the same: each tells its own, any of them shows the sum.

Counters and histograms add up and never fall: what a process counted before it died is where its successor goes on.
Of each gauge `Metric.across` says what the whole is. prometheus_client's own way, a file for each process and metric,
was considered: it needs its counters on the request path, and its files have to be tidied after each death.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence

import msgspec
from prometheus_client import generate_latest
from prometheus_client.core import Metric as Family
from prometheus_client.samples import Sample

from understudy.telemetry.board import Board
from understudy.telemetry.metrics import Across, MetricsPage

log = logging.getLogger("understudy.telemetry")

ADDING = ("counter", "histogram")
OF_A_PROCESS: dict[str, Across] = {
    "process_virtual_memory_bytes": "sum", "process_resident_memory_bytes": "sum", "process_open_fds": "sum",
    "process_start_time_seconds": "min", "process_max_fds": "min",
}  # fmt: skip
"""Gauges of prometheus_client's own."""
COMBINE: dict[Across, Callable[[list[float]], float]] = {"sum": sum, "max": max, "min": min}
Point = tuple[str, tuple[tuple[str, str], ...], float]
"""Name, labels and value."""


class ToldMetric(msgspec.Struct, frozen=True, array_like=True):
    """A metric with all its values, as one process tells it."""

    name: str
    kind: str
    help: str
    across: Across
    points: tuple[Point, ...]


Page = Sequence[ToldMetric]
_decoder = msgspec.msgpack.Decoder(tuple[ToldMetric, ...])


def told(page: MetricsPage) -> Page:
    """What `page` shows now."""
    return [
        ToldMetric(
            family.name, family.type, family.documentation, _across(page, family), tuple(map(_point, family.samples))
        )
        for family in page.families()
    ]


def kept(page: Page) -> Page:
    """What holds of a process that is gone: what it counted, not how it was."""
    return [one for one in page if one.kind in ADDING]


def together(pages: Iterable[Page]) -> Page:
    """The whole of several processes."""
    named: dict[str, ToldMetric] = {}
    values: dict[str, dict[tuple[str, tuple[tuple[str, str], ...]], list[float]]] = {}
    for one in (one for page in pages for one in page):
        named.setdefault(one.name, one)
        series = values.setdefault(one.name, {})
        for name, labels, value in one.points:
            series.setdefault((name, labels), []).append(value)
    return [
        ToldMetric(one.name, one.kind, one.help, one.across, tuple(
            (*which, COMBINE[one.across](found)) for which, found in values[one.name].items()
        ))
        for one in named.values()
    ]  # fmt: skip


def text(page: Page) -> str:
    """A page in Prometheus' text format."""
    return generate_latest(_Collected(page)).decode()


def bury(board: Board, place: int) -> None:
    """The process that wrote to `place` is gone: what it counted stays, its gauges go."""
    if page := _read(board, place):
        board.write(place, msgspec.msgpack.encode(kept(page)))


class JoinedPage:
    """The page of the process that writes to `place`; begins with what was counted there before."""

    def __init__(self, page: MetricsPage, board: Board, place: int) -> None:
        self._page = page
        self._board = board
        self._place = place
        self._before = kept(_read(board, place))
        self._failing = False

    def tell(self) -> None:
        """Let the others see how it is now, and that it gets on; some milliseconds."""
        self._board.beat(self._place)
        mine = together([self._before, told(self._page)])
        fits = self._board.write(self._place, msgspec.msgpack.encode(mine))
        if not fits and not self._failing:
            log.error("the metrics of this process are too many for its place: the others show older ones")
        self._failing = not fits

    def render(self) -> str:
        """The sum in Prometheus' text format; what others told may be as old as their last `tell`."""
        self.tell()
        return text(together(_read(self._board, place) for place in range(self._board.places)))


class _Collected:
    """Anything with `collect` is a registry to prometheus_client."""

    def __init__(self, page: Page) -> None:
        self._page = page

    def collect(self) -> Iterable[Family]:
        for one in self._page:
            family = Family(one.name, one.help, one.kind)
            family.samples = [Sample(name, dict(labels), value) for name, labels, value in one.points]
            yield family


def _read(board: Board, place: int) -> Page:
    data = board.read(place)
    return _decoder.decode(data) if data else ()


def _across(page: MetricsPage, family: Family) -> Across:
    if family.type in ADDING:
        return "sum"
    return OF_A_PROCESS.get(family.name) or page.across(family.name)


def _point(sample: Sample) -> Point:
    return sample.name, tuple(sample.labels.items()), float(sample.value)
