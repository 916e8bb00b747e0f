"""Documents and beats that tests of their stores write."""

from __future__ import annotations

from deploy.routing.document import GatewayBeat, Heartbeat, RoutingDocument

NOWHERE = "redis://127.0.0.1:1/0"
"""Where no Redis is."""


def document(epoch: int) -> RoutingDocument:
    return RoutingDocument(epoch=epoch, stable="v1", reason="测试")


def slot_beat(slot: str = "student-a", at: float = 0.0) -> Heartbeat:
    return Heartbeat.model_validate(
        {"slot": slot, "url": "http://127.0.0.1:8101", "model": "m", "state": "serving", "at": at}
    )


def gateway_beat(name: str = "g1", epoch: int = 4, at: float = 0.0) -> GatewayBeat:
    return GatewayBeat(id=name, epoch=epoch, url="http://127.0.0.1:8000", at=at)
