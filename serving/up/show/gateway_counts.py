"""Requests as the gateway counts them, for a run whose traffic comes from somebody else's application."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import httpx
from prometheus_client.parser import text_string_to_metric_families

REQUESTS = "understudy_requests"
LABELS = ("arm", "version", "status")
TIMEOUT = 1.0
RequestCounts = dict[tuple[str, ...], int]
"""Requests by the values of `LABELS`."""


@dataclass(frozen=True, slots=True)
class Counts:
    """Requests by arm, and those that ended with a server error."""

    sent: int = 0
    failed: int = 0
    arms: Counter[str] = field(default_factory=Counter)

    def plus(self, more: Counts) -> Counts:
        """The sum."""
        return Counts(self.sent + more.sent, self.failed + more.failed, self.arms + more.arms)


class GatewayTail:
    """Sum of what came after the first look, so that nobody's probes before it count; survives the gateway."""

    def __init__(self, gateway: str) -> None:
        self._gateway = gateway
        self._page: RequestCounts | None = None
        self.seen = Counts()

    def read(self) -> None:
        """Ask the gateway.

        Raises:
            httpx.HTTPError, ValueError: it does not answer so.
        """
        answer = httpx.get(f"{self._gateway}/metrics", timeout=TIMEOUT).raise_for_status()
        page = series(answer.text)
        self.seen = self.seen.plus(told(since(page, page if self._page is None else self._page)))
        self._page = page


def series(text: str) -> RequestCounts:
    """Requests by arm, version and status, as a page of the gateway's metrics says.

    Raises:
        ValueError: it is no such page.
    """
    families = (family for family in text_string_to_metric_families(text) if family.name == REQUESTS)
    samples = (sample for family in families for sample in family.samples)
    return {tuple(one.labels.get(name, "") for name in LABELS): int(one.value) for one in samples}


def since(page: RequestCounts, former: RequestCounts) -> RequestCounts:
    """What came after `former`: everything, where a count that fell shows that the gateway began to count anew.

    A version that is told apart no more is simply gone.
    """
    if any(page[key] < former[key] for key in page.keys() & former.keys()):
        return page
    return {key: n - former.get(key, 0) for key, n in page.items()}


def told(page: RequestCounts) -> Counts:
    """The sums that are shown."""
    arms: Counter[str] = Counter()
    for (arm, _, _), number in page.items():
        if arm in ("teacher", "student"):
            arms[arm] += number
    failed = sum(number for (_, _, status), number in page.items() if status.startswith("5"))
    return Counts(sum(page.values()), failed, +arms)
