"""Requests as the gateway counts them, for a run whose traffic comes from somebody else's application."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import httpx
from prometheus_client.parser import text_string_to_metric_families

REQUESTS = "understudy_requests"
TIMEOUT = 1.0


@dataclass(frozen=True, slots=True)
class Counts:
    """Requests by arm, and those that ended with a server error."""

    sent: int = 0
    failed: int = 0
    arms: Counter[str] = field(default_factory=Counter)

    def plus(self, more: Counts) -> Counts:
        """The sum."""
        return Counts(self.sent + more.sent, self.failed + more.failed, self.arms + more.arms)

    def since(self, former: Counts) -> Counts:
        """What came after `former`: everything, where fewer show that the gateway began to count anew."""
        if self.sent < former.sent:
            return self
        return Counts(self.sent - former.sent, max(0, self.failed - former.failed), self.arms - former.arms)


class GatewayTail:
    """Sum of what came after the first look, so that nobody's probes before it count; survives the gateway."""

    def __init__(self, gateway: str) -> None:
        self._gateway = gateway
        self._page: Counts | None = None
        self.seen = Counts()

    def read(self) -> None:
        """Ask the gateway.

        Raises:
            httpx.HTTPError, ValueError: it does not answer so.
        """
        answer = httpx.get(f"{self._gateway}/metrics", timeout=TIMEOUT).raise_for_status()
        page = counts(answer.text)
        self.seen = self.seen.plus(page.since(self._page or page))
        self._page = page


def counts(text: str) -> Counts:
    """What a page of the gateway's metrics says.

    Raises:
        ValueError: it is no such page.
    """
    sent = failed = 0
    arms: Counter[str] = Counter()
    for family in text_string_to_metric_families(text):
        if family.name != REQUESTS:
            continue
        for sample in family.samples:
            number = int(sample.value)
            sent += number
            failed += number if sample.labels.get("status", "").startswith("5") else 0
            if sample.labels.get("arm") in ("teacher", "student"):
                arms[sample.labels["arm"]] += number
    return Counts(sent, failed, arms)
