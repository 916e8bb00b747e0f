"""What all requests of one gateway share; built once in `main`, handed to the protocol and the app."""

from __future__ import annotations

import logging
import time
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from functools import partial
from typing import Any, Protocol

from deploy.routing.document import EXTERNAL, BreakerBeat
from feedback.events import Event, Exposure, Kpi
from feedback.kpis.names import EXTERNAL_TOKENS
from serving.gateway.access.ring import NO_RING, KeyRing
from serving.gateway.answering import Answering
from serving.gateway.body.parser import BodyParser
from serving.gateway.config import GatewayConfig
from serving.gateway.errors import TooBusy
from serving.gateway.failures import Failures
from serving.gateway.guarding.figures import show
from serving.gateway.guarding.watch import GuardWatch
from serving.gateway.keys import ApiKeys
from serving.gateway.metrics import Metrics
from serving.gateway.observing.ledger import RequestLedger
from serving.gateway.observing.sampling import Sampler
from serving.gateway.pool.upstreams import Upstreams
from serving.gateway.retry import RetryBudget
from serving.gateway.routing import Ask, Decision, NoArm, PartTaken, route
from serving.gateway.snapshot import Snapshot
from serving.gateway.tenants.limiter import Limiter
from serving.gateway.tenants.prompts import PromptLimit, prompt_limit
from serving.gateway.tenants.shared import SharedCounts
from understudy.clock import Clock, monotonic
from understudy.ids import random_id, stable_id
from understudy.process import descriptors
from understudy.process.admission import Admission
from understudy.process.alarms import Alarms

log = logging.getLogger("understudy.gateway")

SMALL = 64 << 10
"""Bytes of a body that is read even when it is refused or when memory is short: most of it is here already."""
MAX_EXPOSURES = 100_000
MOST_TOKENS = 10**12
"""Of one answer that are counted: more are no tokens, and no event holds them."""


class ExchangeSink(Protocol):
    """The part of `feedback.outbox.apart.handle.OutboxHandle` that the gateway uses."""

    bus_known: bool
    """Whether events have a bus to go to."""

    def put(self, item: Any, *, refused: Callable[[], None] | None = None) -> bool:
        """Take a record without waiting; False when it had to be dropped.

        `refused` is called where that turns out later.
        """
        ...

    def store(self, event: Event) -> Future[None]:
        """Take an event without waiting; the future ends when it is on disk, or with Unavailable."""
        ...

    def stats(self) -> dict[str, Any]:
        """Counters and levels."""
        ...


class Exposures:
    """Which units are known to have met which phase here; bounded, the oldest is forgotten first."""

    def __init__(self, limit: int = MAX_EXPOSURES) -> None:
        self._seen: OrderedDict[tuple[str, int, str], bool | None] = OrderedDict()
        self._untold: deque[tuple[str, int, str]] = deque(maxlen=limit)
        self._limit = limit

    def met(self, one: PartTaken, unit: str) -> bool:
        """Whether the unit has had a request in the phase, said or not."""
        return (one.experiment, one.phase, unit) in self._seen

    def new(self, one: PartTaken, unit: str, fell_back: bool) -> bool:
        """Whether it is to be said: the unit's first request in the phase, or the first that another answers."""
        while self._untold:
            key = self._untold.popleft()
            if key in self._seen:
                self._seen[key] = None
        key = (one.experiment, one.phase, unit)
        known = self._seen.get(key)
        if known is not None:
            self._seen.move_to_end(key)
        if known or known == fell_back:
            return False
        self._seen[key] = fell_back
        if len(self._seen) > self._limit:
            self._seen.popitem(last=False)
        return True

    def forget(self, one: PartTaken, unit: str) -> None:
        """It could not be said, so the unit's next request says it. Any thread may call this."""
        self._untold.append((one.experiment, one.phase, unit))


def exposure_of(one: PartTaken, decision: Decision, ask: Ask, epoch: int) -> Exposure:
    """What is said, now, of a unit that has met a phase."""
    return Exposure(
        id=stable_id("exposure", one.experiment, str(one.phase), decision.unit, str(decision.fell_back)),
        session=ask.session, tenant=ask.tenant, at=time.time(), unit=decision.unit, experiment=one.experiment,
        phase=one.phase, arm=one.arm, bucket=one.bucket, epoch=epoch, fell_back=decision.fell_back,
        covariates=one.covariates,
    )  # fmt: skip


class Gateway:
    """Shared state of the request path; only the event loop touches it."""

    def __init__(
        self,
        config: GatewayConfig,
        snapshot: Snapshot,
        outbox: ExchangeSink | None = None,
        refresh: Callable[[], Awaitable[bool]] | None = None,
        clock: Clock = monotonic,
        ring: KeyRing = NO_RING,
        guard: GuardWatch | None = None,
        shared: SharedCounts | None = None,
    ) -> None:
        self.config = config
        self.snapshot = snapshot
        self.outbox = outbox
        self.clock = clock
        self._refresh = refresh
        self.parser = BodyParser(config.control_tokens, config.max_choices)
        self.buffered = 0
        """Bytes of bodies held by requests that are not over."""
        self.upstreams = Upstreams(config.reuse_seconds, clock, config.engine_breaker)
        self.answering = Answering(self.upstreams, clock)
        self.metrics = Metrics()
        self.sampler: Sampler | None = None
        """Says which requests become spans; None: none does."""
        self.ledger: RequestLedger | None = None
        """Whom every request that is over is told to."""
        self.admission = Admission(*config.connections(descriptors.limit()))
        self.failures = Failures(self.metrics, clock)
        self.alarms = Alarms()
        """Deadlines of connections and requests."""
        self.keys = ApiKeys(config.key_secret, config.api_keys, ring)
        self.limiter = Limiter(config.tenants, shared, clock)
        self.budget = RetryBudget(config.retry_share, clock)
        self.exposures = Exposures()
        self.guard = guard
        if guard is not None:
            show(self.metrics.page, guard.guard.counts, guard.users)

    @property
    def capture(self) -> bool:
        """Whether copies of requests and feedback have a bus to go to."""
        return self.outbox is not None and self.outbox.bus_known

    async def refresh(self) -> bool:
        """Read the routing document at once; whether a newer one came of it."""
        return False if self._refresh is None else await self._refresh()

    def decide(self, ask: Ask) -> Decision:
        """Route `ask`, past an arm whose engine failed just now where the router is free to choose.

        Raises:
            ModelNotFound, NoArm: as `routing.route`.
        """
        decision = route(self.snapshot.document, ask)
        if not decision.auto or not self.upstreams.down(decision.slot.url):
            return decision
        try:
            other = route(self.snapshot.document, ask, avoid=decision.arm)
        except NoArm:
            return decision
        return decision if self.upstreams.down(other.slot.url) else other

    def breakers(self) -> BreakerBeat:
        """How the breakers of users and of engines stand; engines that the document names no more are let go."""
        self.upstreams.keep(slot.url for slot in self.snapshot.document.slots.values())
        engines = self.upstreams.opened()
        if self.guard is None:
            return BreakerBeat(engines=engines)
        users, guarded = self.guard.users, self.metrics.guarded()
        return BreakerBeat(**users.counts(), users=tuple(users.open_names()), engines=engines, guarded=guarded)

    def exposed(self, decision: Decision, ask: Ask, epoch: int) -> None:
        """Say that a unit has met the phases that it counts for; what there is no room for its next request says."""
        for one in decision.taken:
            if not one.counted:
                continue
            if not self.exposures.met(one, decision.unit):
                self.metrics.exposures[one.experiment, one.arm] += 1
            if not self.exposures.new(one, decision.unit, decision.fell_back):
                continue
            event = exposure_of(one, decision, ask, epoch)
            again = partial(self.exposures.forget, one, decision.unit)
            if self.capture and self.outbox is not None and not self.outbox.put(event, refused=again):
                self.metrics.events["exposure_dropped"] += 1
                again()

    def spent(self, tokens: int) -> None:
        """Say what an answer of a teacher that somebody else runs cost; counted where there is no room for it."""
        if not tokens or not self.capture or self.outbox is None:
            return
        name, value = random_id(), min(tokens, MOST_TOKENS)
        event = Kpi(
            id=name, session=name, at=time.time(), kpi=EXTERNAL_TOKENS, value=value, arm="teacher", version=EXTERNAL
        )
        if not self.outbox.put(event, refused=self._unsaid):
            self._unsaid()

    def _unsaid(self) -> None:
        self.metrics.events["spending_dropped"] += 1

    def key_for(self, decision: Decision) -> str:
        """The bearer key that the decision's engine asks for; empty when none is known."""
        slot = decision.slot
        return slot.api_key if slot.version == EXTERNAL else self.snapshot.engine_key

    def limits_of_prompts(self, tenant: str) -> PromptLimit | None:
        """How long a prompt of a tenant may be."""
        return prompt_limit(self.config.max_prompt, tenant, self.limiter.limits_of(tenant))

    def check_room(self, size: int) -> None:
        """Whether a body of which `size` bytes are here may go on.

        Raises:
            TooBusy: it is not small, and all requests together hold more than `gateway.max_buffered`.
        """
        if size > SMALL and self.buffered > self.config.max_buffered:
            raise TooBusy(f"{self.config.max_buffered} bytes of requests are held; try again shortly")
