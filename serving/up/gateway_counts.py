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
    arms: dict[str, int] = field(default_factory=dict)


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
    return Counts(sent, failed, dict(arms))


def fetch(gateway: str) -> Counts:
    """The gateway's counts now.

    Raises:
        httpx.HTTPError, ValueError: it does not answer so.
    """
    return counts(httpx.get(f"{gateway}/metrics", timeout=TIMEOUT).raise_for_status().text)
