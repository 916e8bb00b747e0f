"""Breakers as the control plane tells of them."""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import Field

from deploy.routing.document import BreakerBeat, GatewayBeat
from serving.control.replies.base import ControlReply

MOST_NAMED = 20


class BreakerStatus(ControlReply):
    """Breakers of users and of engines as the gateways report them."""

    open: int = 0
    """Users who get the degraded reply, or the teacher alone; where gateways differ, the highest number."""
    half_open: int = 0
    """Users of whom a few requests are judged again."""
    users: list[str] = Field(default_factory=list)
    """At most twenty of the open ones, hashed, as `understudy guard release` takes them."""
    engines: dict[str, str] = Field(default_factory=dict)
    """Addresses of engines that some gateway leaves alone, or asks by probes alone, with which of the two."""
    gateways: dict[str, BreakerBeat] = Field(default_factory=dict)
    """What each gateway reports."""


def breaker_status(gateways: Iterable[GatewayBeat]) -> BreakerStatus:
    """What the beats of all gateways come to; an engine that one of them leaves alone is named as that."""
    beats = {one.id: one.breaker for one in gateways}
    users = dict.fromkeys(user for beat in beats.values() for user in beat.users)
    engines: dict[str, str] = {}
    for beat in beats.values():
        engines |= {name: state for name, state in beat.engines.items() if engines.get(name) != "open"}
    return BreakerStatus(
        open=max((beat.open for beat in beats.values()), default=0),
        half_open=max((beat.half_open for beat in beats.values()), default=0),
        users=list(users)[:MOST_NAMED], engines=engines, gateways=beats,
    )  # fmt: skip
