"""Who may read metrics: this machine, and whoever has their token."""

from __future__ import annotations

import hmac
import ipaddress
import os
import secrets
from collections.abc import Callable, Mapping

from understudy.files import kept_secret
from understudy.state import StateDir

ENV = "UNDERSTUDY_METRICS_TOKEN"
FORWARDED = ("forwarded", "x-forwarded-for")
REFUSAL = (
    "metrics are for this machine: from elsewhere send the token of run/metrics.token (or UNDERSTUDY_METRICS_TOKEN) as "
    "`authorization: Bearer TOKEN`"
)


class MetricsDoor:
    """Lets through what comes from this machine and was not passed on by a proxy, and what carries the token.

    `token` is asked only when somebody else comes; empty: nobody else is let through.
    """

    def __init__(self, token: Callable[[], str] = lambda: os.environ.get(ENV, "")) -> None:
        self._token = token

    def lets(self, peer: str | None, headers: Mapping[str, str]) -> bool:
        """Whether a request from the address `peer` with these `headers` (names in lower case) may read."""
        if peer is not None and is_loopback(peer) and not any(name in headers for name in FORWARDED):
            return True
        token = self._token()
        kind, _, given = headers.get("authorization", "").partition(" ")
        right = hmac.compare_digest(given.strip().encode(), token.encode())
        return bool(token) and kind.lower() == "bearer" and right


def metrics_door(state: StateDir) -> MetricsDoor:
    """The door of a role of `state`."""
    return MetricsDoor(lambda: metrics_token(state))


def metrics_token(state: StateDir) -> str:
    """The token of a state directory, made when it is first asked for; `UNDERSTUDY_METRICS_TOKEN` goes before it."""
    return os.environ.get(ENV) or kept_secret(state.metrics_token, lambda: secrets.token_urlsafe(32))


def is_loopback(peer: str) -> bool:
    """Whether an address is of this machine's own loop."""
    try:
        address = ipaddress.ip_address(peer.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return bool((mapped or address).is_loopback)
