"""Requests that others send, by the gateway's own counts."""

from __future__ import annotations

from collections import Counter

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from serving.up.show.gateway_counts import Counts, GatewayTail, series, told
from tests.serving.up.server import served


def test_the_gateways_own_counts_stand_in_for_foreign_traffic() -> None:
    text = (
        "# TYPE understudy_requests_total counter\n"
        'understudy_requests_total{arm="student",version="v2",status="200"} 7\n'
        'understudy_requests_total{arm="teacher",version="t1",status="502"} 2\n'
        'understudy_requests_total{arm="",version="",status="401"} 1\n'
    )
    assert told(series(text)) == Counts(sent=10, failed=2, arms=Counter(student=7, teacher=2))


def test_requests_before_the_first_look_do_not_count_and_those_of_a_former_gateway_stay() -> None:
    pages = iter([(3, 2), (7, 2), (9, 3), (2, 0)])  # answered, failed; the last one by a gateway that began anew

    async def metrics(request: Request) -> Response:
        answered, failed = next(pages)
        rows = (("student", 200, answered), ("", 503, failed))
        lines = [f'understudy_requests_total{{arm="{arm}",status="{status}"}} {n}\n' for arm, status, n in rows]
        return PlainTextResponse("# TYPE understudy_requests_total counter\n" + "".join(lines))

    with served(Starlette(routes=[Route("/metrics", metrics)])) as url:
        tail = GatewayTail(url)
        seen = []
        for _ in range(4):
            tail.read()
            seen.append((tail.seen.sent, tail.seen.failed, tail.seen.arms["student"]))
    assert seen == [(0, 0, 0), (4, 0, 4), (7, 1, 6), (9, 1, 8)]


def test_a_version_that_is_told_apart_no_more_is_no_gateway_that_began_anew() -> None:
    pages = iter([{"v1": 50, "v2": 3}, {"v2": 5, "v3": 1}])

    async def metrics(request: Request) -> Response:
        rows = "".join(
            f'understudy_requests_total{{arm="student",version="{version}",status="200"}} {n}\n'
            for version, n in next(pages).items()
        )
        return PlainTextResponse("# TYPE understudy_requests_total counter\n" + rows)

    with served(Starlette(routes=[Route("/metrics", metrics)])) as url:
        tail = GatewayTail(url)
        tail.read()
        tail.read()
    assert tail.seen == Counts(sent=3, arms=Counter(student=3))
