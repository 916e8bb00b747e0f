"""Whose reply is metered: a tenant's with limits, and that of a teacher whose tokens somebody else counts."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from deploy.routing.document import EXTERNAL, SlotView
from serving.gateway.completion.context import CHAT, RequestContext
from serving.gateway.config import GatewayConfig, TenantLimits
from serving.gateway.http.endpoint import RequestHead
from serving.gateway.routing import Decision
from serving.gateway.service import Gateway
from serving.gateway.snapshot import Snapshot
from serving.gateway.tenants.cost import ReplyMeter
from serving.gateway.tenants.limiter import Ticket

OURS = Decision("teacher", "t1", SlotView(), "teacher", "u", unit_derived=False)
THEIRS = replace(OURS, version=EXTERNAL)


@pytest.fixture
def context() -> RequestContext:
    """A request that is to go somewhere."""
    return RequestContext(Gateway(GatewayConfig(), Snapshot()), RequestHead(CHAT, b"", [], True, False, False))


@pytest.mark.parametrize(
    ("decision", "expected"),
    [(None, False), (OURS, False), (THEIRS, True), (replace(THEIRS, arm="student"), False)],
)
def test_a_reply_costs_where_a_teacher_of_somebody_else_gives_it(
    context: RequestContext, decision: Decision | None, expected: bool
) -> None:
    context.decision = decision
    assert context.costs is expected
    context.watch(200)
    assert (context.meter is not None) is expected


def test_a_tenants_meter_serves_for_the_cost_too_and_a_refusal_is_not_metered(context: RequestContext) -> None:
    context.decision = THEIRS
    context.ticket = Ticket("shop", TenantLimits(), 1, ReplyMeter(b""))
    context.watch(429)
    assert context.meter is None
    context.watch(200)
    assert context.meter is context.ticket.meter
