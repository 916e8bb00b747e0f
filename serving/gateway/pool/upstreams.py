"""Engines by URL: of several replicas the one with the least to do, and none that failed lately if another did not."""

from __future__ import annotations

from serving.gateway.pool.endpoint import Endpoint
from understudy.clock import Clock, monotonic


class Upstreams:
    """Endpoints by URL. A slot's URL may name several replicas, separated by commas."""

    def __init__(self, reuse_seconds: float, clock: Clock = monotonic) -> None:
        self._reuse = reuse_seconds
        self._clock = clock
        self._endpoints: dict[str, Endpoint] = {}
        self._groups: dict[str, list[Endpoint]] = {}

    def pick(self, urls: str) -> Endpoint:
        """The endpoint of `urls` with the least to do; one that is down only if all are."""
        group = self.group(urls)
        if len(group) == 1:
            return group[0]
        return min(group, key=lambda endpoint: (endpoint.down, endpoint.outstanding))

    def group(self, urls: str) -> list[Endpoint]:
        """Every endpoint of `urls`."""
        group = self._groups.get(urls)
        if group is None:
            group = self._groups[urls] = [self._endpoint(url.strip()) for url in urls.split(",")]
        return group

    def _endpoint(self, url: str) -> Endpoint:
        if url not in self._endpoints:
            self._endpoints[url] = Endpoint(url, self._reuse, self._clock)
        return self._endpoints[url]

    def down(self, urls: str) -> bool:
        """Whether every endpoint of `urls` failed lately."""
        return self.pick(urls).down

    def close(self) -> None:
        """Close what is idle."""
        for endpoint in self._endpoints.values():
            endpoint.close()
