"""Requests that others send, by the gateway's own counts."""

from __future__ import annotations

from collections import Counter

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from serving.up.show.gateway_counts import Counts, GatewayTail, counts
from tests.serving.up.server import served


def test_the_gateways_own_counts_stand_in_for_foreign_traffic() -> None:
    text = (
        "# TYPE understudy_requests_total counter\n"
        'understudy_requests_total{arm="student",version="v2",status="200"} 7\n'
        'understudy_requests_total{arm="teacher",version="t1",status="502"} 2\n'
        'understudy_requests_total{arm="",version="",status="401"} 1\n'
    )
    assert counts(text) == Counts(sent=10, failed=2, arms=Counter(student=7, teacher=2))


def test_requests_before_the_first_look_do_not_count_and_those_of_a_former_gateway_stay() -> None:
    pages = iter([(3, 2), (7, 1), (9, 1), (2, 0)])  # answered, failed; the last one by a gateway that began anew

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
    assert seen == [(0, 0, 0), (3, 0, 4), (5, 0, 6), (7, 0, 8)]
