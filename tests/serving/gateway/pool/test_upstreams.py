"""Which replica of an engine is asked."""

from __future__ import annotations

from serving.gateway.pool.call import Call
from serving.gateway.pool.endpoint import DEFAULT_RULE, Endpoint
from serving.gateway.pool.upstreams import Upstreams


def test_the_replica_with_the_least_to_do_is_asked_and_one_that_failed_only_if_all_did() -> None:
    now = [0.0]
    upstreams = Upstreams(4.0, lambda: now[0])
    urls = "http://127.0.0.1:1, http://127.0.0.1:2"
    first, second = (upstreams.pick(url.strip()) for url in urls.split(","))
    first.outstanding = 1
    assert upstreams.pick(urls) is second
    Call(second).unreachable()
    assert upstreams.pick(urls) is first
    assert not upstreams.down(urls)
    Call(first).unreachable()
    assert upstreams.pick(urls) is second
    assert upstreams.down(urls)
    now[0] += DEFAULT_RULE.first_pause_seconds
    assert not upstreams.down(urls)


def test_what_no_document_names_any_more_is_let_go_once_its_requests_are_over() -> None:
    upstreams = Upstreams(4.0, lambda: 0.0)
    first, busy, shared = (f"http://127.0.0.1:{port}" for port in (1, 2, 3))
    for endpoint in upstreams.group(f"{first}, {busy}, {shared}"):
        Call(endpoint).unreachable()
    upstreams.pick(busy).outstanding = 1
    upstreams.keep([shared, "http://127.0.0.1:4"])
    assert set(upstreams.opened()) == {"127.0.0.1:2/v1", "127.0.0.1:3/v1"}
    upstreams.pick(busy).outstanding = 0
    upstreams.keep([shared])
    assert set(upstreams.opened()) == {"127.0.0.1:3/v1"}
    assert not upstreams.down(first)


def test_however_many_urls_come_and_go_no_more_are_held_than_are_named() -> None:
    upstreams = Upstreams(4.0, lambda: 0.0)
    for port in range(1, 500):
        upstreams.keep([url := f"http://127.0.0.1:{port}, http://127.0.0.1:{port + 1000}"])
        upstreams.group(url)
    assert (len(upstreams._groups), len(upstreams._endpoints)) == (1, 2)


def failing(endpoint: Endpoint, bad: int) -> None:
    """Of a hundred calls so many fail, with those at the end that open it."""
    for place in range(100):
        Call(endpoint).answered(500 if place >= 100 - bad else 200, False)


def test_where_all_are_open_the_least_bad_is_asked() -> None:
    upstreams = Upstreams(4.0, lambda: 0.0)
    urls = "http://127.0.0.1:1,http://127.0.0.1:2,http://127.0.0.1:3"
    first, second, third = upstreams.group(urls)
    failing(first, 100)
    failing(second, 50)
    Call(third).unreachable()
    second.outstanding = 9
    assert upstreams.down(urls)
    assert upstreams.pick(urls) is second
    assert set(upstreams.opened()) == {f"127.0.0.1:{port}/v1" for port in (1, 2, 3)}
    assert set(upstreams.opened().values()) == {"open"}
