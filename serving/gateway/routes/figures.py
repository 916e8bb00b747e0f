"""The gateway's page of metrics: what requests came to, and how connections, engines and the outbox are."""

from __future__ import annotations

from collections.abc import Iterator

from deploy.routing.document import SLOTS
from feedback.outbox.metrics import COMMIT, DROPPED, PLAIN, PUBLISHED, QUANTILES, show_outbox
from serving.gateway.service import Gateway
from understudy.telemetry.metrics import Across, Metric

EPOCH = Metric("understudy_routing_epoch", "gauge", "Number of the routing document that this process goes by.",
               across="min")  # fmt: skip
READY = Metric("understudy_arm_ready", "gauge", "1 while an engine of the arm answers, asked when the page is read.",
               ("arm",))  # fmt: skip
PAUSED = Metric("understudy_engine_breaker_open", "gauge", "1 while every engine of the slot failed so lately that"
                " requests go elsewhere where they can.", ("slot",))  # fmt: skip
CONNECTIONS = Metric("understudy_connections_open", "gauge", "Connections of clients.", across="sum")
REFUSED = Metric("understudy_connections_refused_total", "counter", "Connections beyond the limits.")
BUFFERED = Metric("understudy_buffered_body_bytes", "gauge", "Bytes of bodies that requests under way hold.",
                  across="sum")  # fmt: skip
LIMITED = Metric("understudy_rate_limited_total", "counter", "Requests beyond a limit of their tenant's.", ("limit",))
TOGETHER = Metric("understudy_limits_shared", "gauge", "1 while Redis counts the limits of tenants over all gateways.",
                  across="min")  # fmt: skip
NOW = {
    "in_flight": "understudy_requests_in_flight", "epoch": EPOCH.name, "connections": CONNECTIONS.name,
    "connections_refused": REFUSED.name, "buffered_bytes": BUFFERED.name,
}  # fmt: skip
"""Gauges of the release before by what they are called now; so are those of `OUTBOX_NOW`."""
OUTBOX_NOW = {
    **{f"outbox_{name}": metric.name for metric, name in PLAIN.items()},
    **{f"outbox_dropped_{reason}": DROPPED.name for reason in ("queue", "spool", "assemble", "size", "purged")},
    **{f"outbox_{name}": COMMIT.name for name in QUANTILES.values()},
    "outbox_per_second": f"rate({PUBLISHED.name}[1m])",
}
ACROSS: dict[str, Across] = {metric.name: metric.across for metric in (EPOCH, *PLAIN, COMMIT) if metric.kind == "gauge"}
FORMER = {
    name: Metric(f"understudy_gateway_{name}", "gauge", "As before.", until=now, across=ACROSS.get(now, "sum"))
    for name, now in (NOW | OUTBOX_NOW).items()
}
METRICS = (EPOCH, READY, PAUSED, CONNECTIONS, REFUSED, BUFFERED, LIMITED, TOGETHER, *FORMER.values())


class GatewayFigures:
    """Puts everything onto the gateway's page; made once for a gateway."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._ready: dict[str, float] = {}
        self._former: dict[str, float] = {}
        page = gateway.metrics.page
        page.value(EPOCH, lambda: float(gateway.snapshot.document.epoch))
        page.add(READY, lambda: self._ready.items())
        page.add(PAUSED, self._paused)
        page.value(CONNECTIONS, lambda: float(gateway.admission.open))
        page.value(REFUSED, lambda: float(gateway.admission.refused))
        page.value(BUFFERED, lambda: float(gateway.buffered))
        page.add(LIMITED, gateway.limiter.refused.items)
        page.value(TOGETHER, lambda: float(gateway.limiter.counts_together))
        if gateway.outbox is not None:
            show_outbox(page, gateway.outbox.stats)
        page.before(self._look)
        for name in NOW if gateway.outbox is None else FORMER:
            page.value(FORMER[name], lambda name=name: self._former[name])  # type: ignore[misc]

    async def page(self) -> str:
        """The text, once the engines have been asked whether they answer; of all workers, where there are several."""
        gateway = self._gateway
        faults = await gateway.answering.faults(gateway.snapshot.document, gateway.snapshot.engine_key)
        self._ready = {arm: float(not fault) for arm, fault in faults.items()}
        gateway.metrics.follow(gateway.snapshot.document)
        page = gateway.metrics.joined or gateway.metrics.page
        try:
            return page.render()
        finally:
            self._ready = {}  # what this page asked, none that is told without asking repeats

    def _paused(self) -> Iterator[tuple[str, float]]:
        slots = self._gateway.snapshot.document.slots
        return ((name, float(self._gateway.upstreams.down(slots[name].url))) for name in SLOTS if name in slots)

    def _look(self) -> None:
        """Read what the gauges of the release before show."""
        gateway, admission = self._gateway, self._gateway.admission
        self._former = {
            "in_flight": float(gateway.metrics.in_flight), "epoch": float(gateway.snapshot.document.epoch),
            "connections": float(admission.open), "connections_refused": float(admission.refused),
            "buffered_bytes": float(gateway.buffered),
        }  # fmt: skip
        stats = {} if gateway.outbox is None else gateway.outbox.stats()
        reasons = {f"outbox_dropped_{reason}": n for reason, n in stats.pop("dropped", {}).items()}
        self._former |= reasons | {f"outbox_{name}": float(value) for name, value in stats.items()}
