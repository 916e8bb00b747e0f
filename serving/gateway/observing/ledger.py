"""From the end of a request to whoever tells of it: a bounded queue, and a thread that empties it a few times a second.

The request path makes one frozen record and appends it; nobody is woken, nothing is formatted there.
"""

from __future__ import annotations

import logging
import threading
from collections import Counter, deque
from collections.abc import Callable, Sequence

import msgspec

from serving.gateway.observing.sampling import Sampler, Trace
from understudy.telemetry.metrics import Metric, MetricsPage

log = logging.getLogger("understudy.gateway")

MOST = 20_000
"""Records that may wait; one more is dropped and counted."""
SECONDS = 0.2
"""Between two looks at the queue."""
RECORDS = Metric("understudy_request_records_total", "counter", "Requests that the access log and the traces were told"
                 " of, and those that they were not for want of room or by a fault.", ("outcome",))  # fmt: skip
TRACES = Metric("understudy_traces_total", "counter", "Requests that became spans, and that did not for"
                " `traces.max_per_second`.", ("outcome",))  # fmt: skip
METRICS = (RECORDS, TRACES)


class Finished(msgspec.Struct, frozen=True, gc=False):
    """A request that is over, without a text, a user or an address of a client."""

    at: float
    """When it was over, in seconds since the epoch."""
    ended: float
    """The same by the gateway's clock."""
    seconds: float
    request: str
    """The gateway's own id of it, which engines get."""
    path: str
    status: int
    outcome: str
    tenant: str
    arm: str = ""
    version: str = ""
    model: str = ""
    """As it was asked for; empty where no engine was chosen, since it may be any text then."""
    served: str = ""
    """The model's name at its engine."""
    fell_back: bool = False
    stream: bool = False
    ttft: float | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    bytes_in: int = 0
    trace: Trace | None = None


Sink = Callable[[Sequence[Finished]], None]
"""Takes records in the ledger's thread. What it raises costs these records here alone."""


class RequestLedger:
    """Tells `sinks` of each request; `put` is called by the event loop."""

    def __init__(self, *sinks: Sink) -> None:
        self.counts = Counter(told=0, dropped=0)
        self._sinks = sinks
        self._waiting: deque[Finished] = deque()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="ledger", daemon=True)
        self._thread.start()

    def put(self, record: Finished) -> None:
        """Take a record; never blocks."""
        if len(self._waiting) >= MOST:
            self.counts["dropped"] += 1
        else:
            self._waiting.append(record)

    def close(self, seconds: float = 2.0) -> None:
        """Tell what still waits, for so long at most."""
        self._stop.set()
        self._thread.join(seconds)

    def show(self, page: MetricsPage, sampler: Sampler | None) -> None:
        """Put its counts, and those of `sampler`, on a page."""
        page.add(RECORDS, self.counts.items)
        page.add(TRACES, Counter(sampled=0, over_limit=0).items if sampler is None else sampler.counts.items)

    def _run(self) -> None:
        while not self._stop.wait(SECONDS):
            self._empty()
        self._empty()

    def _empty(self) -> None:
        records = [self._waiting.popleft() for _ in range(len(self._waiting))]
        for sink in self._sinks if records else ():
            try:
                sink(records)
            except Exception as error:  # whatever it is: the next ones may be told
                log.warning("%d requests could not be told of: %s", len(records), error)
                self.counts["dropped"] += len(records)
                return
        self.counts["told"] += len(records)
