"""Engines by URL: of several replicas the one with the least to do; where all fail, the one that failed least."""

from __future__ import annotations

from collections.abc import Iterable

from serving.breaker.config import EngineBreakerConfig
from serving.breaker.table import BreakerState
from serving.gateway.pool.endpoint import DEFAULT_RULE, Endpoint
from understudy.clock import Clock, monotonic


class Upstreams:
    """Endpoints by URL. A slot's URL may name several replicas, separated by commas."""

    def __init__(
        self, reuse_seconds: float, clock: Clock = monotonic, rule: EngineBreakerConfig = DEFAULT_RULE
    ) -> None:
        self._rule = rule
        self._reuse = reuse_seconds
        self._clock = clock
        self._endpoints: dict[str, Endpoint] = {}
        self._groups: dict[str, list[Endpoint]] = {}

    def pick(self, urls: str) -> Endpoint:
        """The endpoint of `urls` with the least to do; where all are down, the one that failed least."""
        group = self.group(urls)
        if len(group) == 1:
            return group[0]
        return min(group, key=_reluctance)

    def group(self, urls: str) -> list[Endpoint]:
        """Every endpoint of `urls`."""
        group = self._groups.get(urls)
        if group is None:
            group = self._groups[urls] = [self._endpoint(url) for url in _replicas(urls)]
        return group

    def _endpoint(self, url: str) -> Endpoint:
        if url not in self._endpoints:
            self._endpoints[url] = Endpoint(url, self._reuse, self._clock, self._rule)
        return self._endpoints[url]

    def keep(self, named: Iterable[str]) -> None:
        """Let go of every endpoint that is not of `named` and has no request under way."""
        kept = set(named)
        replicas = {url for urls in kept for url in _replicas(urls)}
        self._groups = {urls: group for urls, group in self._groups.items() if urls in kept}
        for url in [url for url, one in self._endpoints.items() if url not in replicas and not one.outstanding]:
            self._endpoints.pop(url).leave()

    def down(self, urls: str) -> bool:
        """Whether every endpoint of `urls` is down."""
        return self.pick(urls).down

    def opened(self) -> dict[str, str]:
        """The endpoints whose breaker is not closed, by address, with what it is."""
        states = {one.address.name: one.breaker.state for one in self._endpoints.values()}
        return {name: str(state) for name, state in states.items() if state is not BreakerState.CLOSED}

    def close(self) -> None:
        """Close what is idle."""
        for endpoint in self._endpoints.values():
            endpoint.close()


def _replicas(urls: str) -> list[str]:
    """The URLs of which `urls` is made."""
    return [url.strip() for url in urls.split(",")]


def _reluctance(endpoint: Endpoint) -> tuple[bool, float, int]:
    """How little one should ask `endpoint`."""
    down = endpoint.down
    return down, endpoint.breaker.badness if down else 0.0, endpoint.outstanding
