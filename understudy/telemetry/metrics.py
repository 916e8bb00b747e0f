"""Metrics as they are named and read: a name with its help, and a function that tells the values when somebody asks.

Whoever counts keeps plain numbers (a `collections.Counter`, an attribute, a `Histogram`); a page reads them when it is
scraped, and prometheus_client turns them into text. Its own counters were considered and cost the request path too
much: a lock and a look-up of labels for each update (`docs/dependencies.md` has the figures).

To add metrics, a stage of the guard for instance:

    CAUGHT = Metric("understudy_guard_caught_total", "counter", "Requests that a stage caught.", ("stage", "verdict"))
    METRICS = (CAUGHT,)                                       # named in `understudy.telemetry.table.OWNERS`

    caught: Counter[tuple[str, str]] = Counter()              # on the request path: caught["ngrams", "flag"] += 1
    page.add(CAUGHT, caught.items)                            # once; `page` is `gateway.metrics.page`
    page.add(SECONDS, seconds.items)                          # seconds: dict[tuple[str, ...], Histogram]

Labels are of small fixed sets. A page shows at most `MOST_SERIES` of each metric, and never a user or a text.
"""

from __future__ import annotations

import logging
import re
from bisect import bisect_left
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import accumulate, islice
from typing import Any, Literal

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.core import Metric as Family
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.gc_collector import GCCollector
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

from understudy import __version__

log = logging.getLogger("understudy.telemetry")

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4
MOST_SERIES = 500
"""Of one metric on one page; what is beyond is left out and told by `understudy_unread_metrics`."""
Across = Literal["sum", "max", "min"]
"""What a gauge is of several processes that do the same: one page shows them all (`understudy.telemetry.together`)."""
FAMILIES = {"counter": CounterMetricFamily, "gauge": GaugeMetricFamily, "histogram": HistogramMetricFamily}


@dataclass(frozen=True, slots=True)
class Metric:
    """What a metric is called and means; checked when it is made, so that a wrong name never leaves the desk.

    Raises:
        ValueError: the name breaks a rule of Prometheus, or there is no help.
    """

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    help: str
    labels: tuple[str, ...] = ()
    edges: tuple[float, ...] = ()
    """Upper bounds of a histogram's buckets, ascending, without infinity."""
    until: str = ""
    """What to use instead of it; not empty: it goes with the next release."""
    across: Across = "max"
    """Of a gauge; counters and histograms add up."""

    def __post_init__(self) -> None:
        if not re.fullmatch(r"understudy(_[a-z0-9]+)+", self.name):
            raise ValueError(f"{self.name!r}: use understudy_ and lower case words with underscores")
        if (self.kind == "counter") != self.name.endswith("_total"):
            raise ValueError(f"{self.name}: a counter ends with _total, and nothing else does")
        if (self.kind == "histogram") != bool(self.edges):
            raise ValueError(f"{self.name}: a histogram has edges, and nothing else has")
        if {"le", "quantile"} & set(self.labels):
            raise ValueError(f"{self.name}: le and quantile are labels of Prometheus' own")
        if not self.help.endswith("."):
            raise ValueError(f"{self.name}: its help is a sentence")


class Histogram:
    """Counts by bucket and a sum; 0.2 microseconds a value. One thread writes, any may read."""

    __slots__ = ("_edges", "counts", "total")

    def __init__(self, edges: tuple[float, ...]) -> None:
        self._edges = edges
        self.counts = [0] * (len(edges) + 1)
        """Of each bucket alone, the last for what is above every edge."""
        self.total = 0.0

    def observe(self, value: float) -> None:
        """Count one value."""
        self.counts[bisect_left(self._edges, value)] += 1
        self.total += value

    @property
    def count(self) -> int:
        """How many values there were."""
        return sum(self.counts)


Labels = tuple[str | int, ...] | str
"""The values of a metric's labels, in their order; a text alone where there is one label."""
Read = Callable[[], Iterable[tuple[Labels, float | Histogram]]]
"""Tells a metric's series as they are now. What it raises costs this metric alone, for this page alone."""


class MetricsPage:
    """The metrics of one process: `add` each of them once, `render` as often as somebody asks."""

    def __init__(self, role: str) -> None:
        self._metrics: dict[str, tuple[Metric, Read]] = {}
        self._looks: list[Callable[[], None]] = []
        self._said: set[str] = set()
        self._unread = 0
        self._registry = CollectorRegistry()
        self._registry.register(self)  # anything with `collect` is a collector
        ProcessCollector(registry=self._registry)
        PlatformCollector(registry=self._registry)
        GCCollector(registry=self._registry)
        self.add(BUILD, lambda: [((__version__, role), 1.0)])

    def add(self, metric: Metric, read: Read) -> None:
        """Show a metric.

        Raises:
            ValueError: its name is taken.
        """
        if metric.name in self._metrics:
            raise ValueError(f"{metric.name} is on this page already")
        self._metrics[metric.name] = (metric, read)

    def before(self, look: Callable[[], None]) -> None:
        """Have `look` called each time before the page is read, for metrics that are read together."""
        self._looks.append(look)

    def value(self, metric: Metric, read: Callable[[], float]) -> None:
        """Show a metric without labels."""
        self.add(metric, lambda: [((), read())])

    def render(self) -> str:
        """The page in Prometheus' text format."""
        return generate_latest(self._registry).decode()

    def families(self) -> list[Family]:
        """Everything that the page shows, with its values now."""
        return list(self._registry.collect())

    def across(self, name: str) -> Across:
        """How the gauge `name` is made of several processes'."""
        return self._metrics[name][0].across if name in self._metrics else "max"

    def describe(self) -> Iterable[Family]:
        """Nothing: series are not known before they are read."""
        return ()

    def collect(self) -> Iterable[Family]:
        """Every metric as prometheus_client wants it."""
        self._unread = 0
        for look in self._looks:
            try:
                look()
            except Exception as error:  # as below: what it would have told is missing then
                log.debug("metrics cannot be read: %s", error)
        for metric, read in list(self._metrics.values()):
            try:
                family = _family(metric, self._bounded(metric, read))
            except Exception as error:  # a part that is away, or a fault: the other figures are wanted all the more
                self._unread += 1
                if metric.name not in self._said:
                    log.warning("%s cannot be read: %s", metric.name, error or type(error).__name__)
                self._said.add(metric.name)
                continue
            self._said.discard(metric.name)
            yield family
        yield _family(UNREAD, [((), float(self._unread))])

    def _bounded(self, metric: Metric, read: Read) -> list[tuple[Labels, float | Histogram]]:
        series = list(islice(read(), MOST_SERIES + 1))
        if len(series) > MOST_SERIES:
            self._unread += 1
            del series[MOST_SERIES:]
        return series


def _family(metric: Metric, series: Iterable[tuple[Labels, float | Histogram]]) -> Family:
    """A metric with its values, as prometheus_client has it."""
    said = f"{metric.help} Goes with the next release: use {metric.until}." if metric.until else metric.help
    family: Any = FAMILIES[metric.kind](metric.name, said, labels=metric.labels)
    for labels, value in series:
        values = [labels] if isinstance(labels, str) else list(map(str, labels))
        if isinstance(value, Histogram):
            edges = [*map(str, metric.edges), "+Inf"]
            family.add_metric(values, list(zip(edges, accumulate(value.counts), strict=True)), value.total)
        else:
            family.add_metric(values, value)
    made: Family = family
    return made


BUILD = Metric("understudy_build_info", "gauge", "Always 1; the release and the role of this process.",
               ("version", "role"))  # fmt: skip
UNREAD = Metric("understudy_unread_metrics", "gauge", "Metrics that this page lacks or shows in part: a part is away.")
METRICS = (BUILD, UNREAD)
