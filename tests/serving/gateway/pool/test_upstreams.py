"""Which replica of an engine is asked."""

from __future__ import annotations

from serving.gateway.pool.endpoint import FIRST_PAUSE
from serving.gateway.pool.upstreams import Upstreams


def test_the_replica_with_the_least_to_do_is_asked_and_one_that_failed_only_if_all_did() -> None:
    now = [0.0]
    upstreams = Upstreams(4.0, lambda: now[0])
    urls = "http://127.0.0.1:1, http://127.0.0.1:2"
    first, second = (upstreams.pick(url.strip()) for url in urls.split(","))
    first.outstanding = 1
    assert upstreams.pick(urls) is second
    second.failed()
    assert upstreams.pick(urls) is first
    assert not upstreams.down(urls)
    first.failed()
    assert upstreams.pick(urls) is second
    assert upstreams.down(urls)
    now[0] += FIRST_PAUSE
    assert not upstreams.down(urls)
