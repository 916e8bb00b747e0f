"""Counters of the request path: plain dictionaries, rendered as Prometheus text when somebody asks.

prometheus_client was considered; four updates with labels cost more than the rest of the hot path.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

TTFT_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Histogram:
    """Cumulative buckets in seconds."""

    __slots__ = ("counts", "total")

    def __init__(self) -> None:
        self.counts = [0] * (len(TTFT_BUCKETS) + 1)
        self.total = 0.0

    def observe(self, seconds: float) -> None:
        """Count one value."""
        place = 0
        for edge in TTFT_BUCKETS:
            if seconds <= edge:
                break
            place += 1
        self.counts[place] += 1
        self.total += seconds


class Metrics:
    """What the gateway counts; written by the event loop alone."""

    def __init__(self) -> None:
        self.requests: Counter[tuple[str, str, int]] = Counter()
        """By (arm, version, status); arm and version are empty where none was reached."""
        self.ttft: dict[str, Histogram] = {}
        self.exposures: Counter[tuple[str, str]] = Counter()
        """Units by (experiment, arm); one that the spool had no room for counts again when it is told again."""
        self.events: Counter[str] = Counter()
        """fallback, reroute, cancelled, truncated, capture_dropped, ..."""
        self.failures: Counter[tuple[str, str]] = Counter()
        """By (arm, cause), also where the other arm stood in; the arm is empty where none was chosen."""
        self.in_flight = 0

    def first_byte(self, arm: str, seconds: float) -> None:
        """Count the time to the first byte of a reply."""
        histogram = self.ttft.get(arm)
        if histogram is None:
            histogram = self.ttft[arm] = Histogram()
        histogram.observe(seconds)

    def render(self, gauges: dict[str, float]) -> str:
        """Prometheus text; `gauges` are the values that somebody else knows."""
        return "\n".join([*self._lines(gauges), ""])

    def _lines(self, gauges: dict[str, float]) -> Iterator[str]:
        yield "# TYPE understudy_requests_total counter"
        for (arm, version, status), count in sorted(self.requests.items()):
            labels = f'arm="{arm}",version="{escape(version)}",status="{status}"'
            yield f"understudy_requests_total{{{labels}}} {count}"
        yield "# TYPE understudy_exposures_total counter"
        for (experiment, arm), count in sorted(self.exposures.items()):
            yield f'understudy_exposures_total{{experiment="{escape(experiment)}",arm="{arm}"}} {count}'
        yield "# TYPE understudy_failures_total counter"
        for (arm, cause), count in sorted(self.failures.items()):
            yield f'understudy_failures_total{{arm="{arm}",cause="{escape(cause)}"}} {count}'
        yield "# TYPE understudy_gateway_events_total counter"
        for name, count in sorted(self.events.items()):
            yield f'understudy_gateway_events_total{{event="{escape(name)}"}} {count}'
        yield "# TYPE understudy_time_to_first_byte_seconds histogram"
        for arm, histogram in sorted(self.ttft.items()):
            yield from _histogram_lines(arm, histogram)
        for name, value in {"in_flight": float(self.in_flight), **gauges}.items():
            yield f"# TYPE understudy_gateway_{name} gauge"
            yield f"understudy_gateway_{name} {value:g}"


def _histogram_lines(arm: str, histogram: Histogram) -> Iterator[str]:
    name, count = "understudy_time_to_first_byte_seconds", 0
    for edge, more in zip([*map(str, TTFT_BUCKETS), "+Inf"], histogram.counts, strict=True):
        count += more
        yield f'{name}_bucket{{arm="{arm}",le="{edge}"}} {count}'
    yield f'{name}_sum{{arm="{arm}"}} {histogram.total:.6f}'
    yield f'{name}_count{{arm="{arm}"}} {count}'


def escape(value: str) -> str:
    """A label's value."""
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
