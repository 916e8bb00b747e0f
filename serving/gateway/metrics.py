"""What the gateway counts: plain numbers on the request path, read when somebody asks for the page."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from ab.experiment import Arm
from deploy.routing.document import RoutingDocument
from understudy.telemetry.metrics import Histogram, Metric, MetricsPage
from understudy.telemetry.together import JoinedPage

SHORT_EDGES = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
TTFT_EDGES = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
LONG_EDGES = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0)
OTHER = "other"
"""Label of a version that is neither live, nor the candidate, nor one of the three before."""
ARMS: tuple[Arm, ...] = ("teacher", "student")
DEGRADED = ("guard", "breaker", "deadline")
"""The causes for which a client gets a degraded reply, as its header names them."""
MOST_TENANTS = 20
"""Tenants that are told apart where something of theirs was flagged or degraded."""
EVENTS_KNOWN = (
    "cancelled", "capture_dropped", "capture_too_large", "degraded_not_kept", "exposure_dropped", "fallback",
    "feedback", "reroute", "retry_budget_spent", "spending_dropped", "truncated",
)  # fmt: skip
"""From zero on, so that the first of them shows as an increase."""
USAGE = re.compile(rb'"(prompt|completion)_tokens":\s*(\d{1,9})\b')
"""In a text of a reply the quotes are escaped, so only an engine's own words match."""
_OF = ("arm", "version")

REQUESTS = Metric("understudy_requests_total", "counter", "Completion requests that are over, by what the client got;"
                  " arm and version are empty where no engine was chosen.", (*_OF, "status"))  # fmt: skip
FIRST_BYTE = Metric("understudy_time_to_first_byte_seconds", "histogram",
                    "From the head of a request to the first byte of its reply's body.", _OF, TTFT_EDGES)  # fmt: skip
SECONDS = Metric("understudy_request_seconds", "histogram", "From the head of a request to its reply's last byte.",
                 _OF, LONG_EDGES)  # fmt: skip
GAP = Metric("understudy_gap_between_tokens_seconds", "histogram",
             "Between two pieces of a streamed reply; engines send one for each token or few.",
             _OF, SHORT_EDGES)  # fmt: skip
TOKENS = Metric("understudy_tokens_total", "counter", "Tokens of prompts and completions, as engines tell them in"
                " `usage`.", (*_OF, "kind"))  # fmt: skip
UNTOLD = Metric("understudy_replies_without_usage_total", "counter", "Complete replies whose tokens no engine told, as"
                " streams without `include_usage`.", _OF)  # fmt: skip
DEGRADED_REPLIES = Metric("understudy_degraded_total", "counter", "Requests that got the degraded reply; the first"
                          " tenants that had one, then `other`.", ("tenant", "cause"))  # fmt: skip
FLAGGED = Metric("understudy_flagged_total", "counter", "Requests that the guard flagged, and served; tenants as"
                 " of degraded ones.", ("tenant", *_OF))  # fmt: skip
EXPOSURES = Metric("understudy_exposures_total", "counter", "Units that met an experiment's arm.",
                   ("experiment", "arm"))  # fmt: skip
FAILURES = Metric("understudy_failures_total", "counter", "Failed attempts at a reply, also where the other arm stood"
                  " in; the arm is empty where none was chosen.", ("arm", "cause"))  # fmt: skip
EVENTS = Metric("understudy_gateway_events_total", "counter", "What happened to requests on their way.", ("event",))
IN_FLIGHT = Metric("understudy_requests_in_flight", "gauge", "Completion requests that are not over.", across="sum")
METRICS = (
    REQUESTS, FIRST_BYTE, SECONDS, GAP, TOKENS, UNTOLD, DEGRADED_REPLIES, FLAGGED, EXPOSURES, FAILURES, EVENTS,
    IN_FLIGHT,
)  # fmt: skip


class VersionFigures:
    """What the requests to one version of an arm came to; written by the event loop alone."""

    __slots__ = ("first_byte", "gap", "requests", "seconds", "tokens", "untold")

    def __init__(self) -> None:
        self.requests: Counter[int] = Counter()
        """By status."""
        self.first_byte = Histogram(TTFT_EDGES)
        self.seconds = Histogram(LONG_EDGES)
        self.gap = Histogram(SHORT_EDGES)
        self.tokens = {"prompt": 0, "completion": 0}
        self.untold = 0

    def used(self, tail: bytes) -> tuple[int, int] | None:
        """Count the tokens that the end of a reply tells, of prompt and completion; None: it tells none."""
        told = {kind: int(number) for kind, number in USAGE.findall(tail)}
        if b"completion" not in told:
            self.untold += 1
            return None
        prompt, completion = told.get(b"prompt", 0), told[b"completion"]
        self.tokens["prompt"] += prompt
        self.tokens["completion"] += completion
        return prompt, completion


class Metrics:
    """What the gateway counts, and its page; written by the event loop alone."""

    def __init__(self) -> None:
        self.page = MetricsPage("gateway")
        self.joined: JoinedPage | None = None
        """The page of all workers, where there are several."""
        self.unrouted: Counter[int] = Counter()
        """Requests by status for which no engine was chosen."""
        self.exposures: Counter[tuple[str, str]] = Counter()
        """Units by (experiment, arm); one that the spool had no room for counts again when it is told again."""
        self.events = Counter(dict.fromkeys(EVENTS_KNOWN, 0))
        """By name, see `EVENTS_KNOWN`."""
        self.failures: Counter[tuple[str, str]] = Counter()
        """By (arm, cause), also where the other arm stood in; the arm is empty where none was chosen."""
        self.degraded: Counter[tuple[str, str]] = Counter({(OTHER, cause): 0 for cause in DEGRADED})
        """Requests by (tenant, cause)."""
        self.flagged: Counter[tuple[str, str, str]] = Counter()
        """Requests by (tenant, arm, version)."""
        self._tenants: set[str] = set()
        self._flagged, self._degraded = Counter[str](), Counter[str]()
        self.in_flight = 0
        self._document: RoutingDocument | None = None
        self._figures: dict[tuple[str, str], VersionFigures] = {}
        self._show()

    def of(self, arm: Arm, version: str, document: RoutingDocument) -> VersionFigures:
        """The figures of a version under `document`; of `other` where it is not of those that are told apart."""
        self.follow(document)
        found = self._figures.get((arm, version))
        return self._figures[arm, OTHER] if found is None else found

    def of_tenant(self, tenant: str) -> str:
        """The label of a tenant of whom something was flagged or degraded: its name, of one too many `other`."""
        if tenant in self._tenants or len(self._tenants) < MOST_TENANTS:
            self._tenants.add(tenant)
            return tenant
        return OTHER

    def flag(self, tenant: str, arm: Arm, version: str) -> None:
        """Count a request that was flagged."""
        told = version if (arm, version) in self._figures else OTHER
        label = self.of_tenant(tenant)
        self.flagged[label, arm, told] += 1
        self._flagged[label] += 1

    def degrade(self, tenant: str, cause: str) -> None:
        """Count a request that got the degraded reply."""
        label = self.of_tenant(tenant)
        self.degraded[label, cause] += 1
        self._degraded[label] += 1

    def guarded(self) -> dict[str, tuple[int, int]]:
        """Requests by tenant since the start: flagged, and degraded."""
        return {name: (self._flagged[name], self._degraded[name]) for name in self._flagged | self._degraded}

    def follow(self, document: RoutingDocument) -> None:
        """Tell apart what is live now, the candidate and up to three before; what is none of them any more goes.

        Its series end, which is no jump: added to `other` it would look like traffic of this moment.
        """
        if document is self._document:
            return
        students = (document.stable, document.candidate, *document.previous)
        kept = {("teacher", document.teacher), *(("student", one) for one in students if one)}
        kept |= {(arm, OTHER) for arm in ARMS}
        self._figures = {key: self._figures.get(key) or VersionFigures() for key in sorted(kept)}
        self.flagged = Counter({key: n for key, n in self.flagged.items() if key[1:] in kept})
        self._document = document

    @property
    def requests(self) -> Counter[tuple[str, str, int]]:
        """Requests by (arm, version, status); arm and version are empty where none was reached."""
        told = {(*key, status): n for key, one in self._figures.items() for status, n in one.requests.items()}
        return Counter({**told, **{("", "", status): n for status, n in self.unrouted.items()}})

    def _show(self) -> None:
        page = self.page
        page.add(REQUESTS, lambda: self.requests.items())
        for metric, name in ((FIRST_BYTE, "first_byte"), (SECONDS, "seconds"), (GAP, "gap")):
            page.add(metric, lambda name=name: self._histograms(name))  # type: ignore[misc]
        page.add(TOKENS, self._tokens)
        page.add(UNTOLD, lambda: [(key, one.untold) for key, one in self._figures.items()])
        page.add(DEGRADED_REPLIES, self.degraded.items)
        page.add(FLAGGED, lambda: self.flagged.items())
        page.add(EXPOSURES, self.exposures.items)
        page.add(FAILURES, self.failures.items)
        page.add(EVENTS, self.events.items)
        page.value(IN_FLIGHT, lambda: float(self.in_flight))

    def _histograms(self, name: str) -> Iterator[tuple[tuple[str, str], Histogram]]:
        return ((key, getattr(one, name)) for key, one in self._figures.items())

    def _tokens(self) -> Iterator[tuple[tuple[str, str, str], int]]:
        return (((*key, kind), n) for key, one in self._figures.items() for kind, n in one.tokens.items())
