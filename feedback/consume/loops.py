"""The worker: a thread that consumes events into KPIs and jobs, and the shadow loop that asks.

Consumption and shadow work are apart, so that a slow engine never holds up the bus; between them is
the bounded queue of `jobs`.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from feedback.bus.protocol import Bus, Received
from feedback.checks.building import build
from feedback.checks.kinds import Check
from feedback.consume.consumer import Consumer, Waits
from feedback.events import DEAD_LETTER, EXCHANGES, EXPOSURES, KPIS, Exchange, Exposure, Kpi, newer_schema
from feedback.flagged.config import FlaggedConfig
from feedback.flagged.sessions import hold, make_room, session_name
from feedback.flagged.store import FlaggedStore
from feedback.kpis.config import KpisConfig
from feedback.kpis.effects import exchange_effects, exposure_effects, feedback_effects, settings
from feedback.kpis.names import APPEAL, EXTERNAL_TOKENS
from feedback.letters import letters
from feedback.outbox.outbox import Outbox
from feedback.pool.config import PoolConfig
from feedback.pool.store import Pool
from feedback.privacy.vault import Purged
from feedback.rows.files import RowFiles, installed
from feedback.rows.spilling import RowBounds, Spill
from feedback.shadow.config import ShadowConfig
from feedback.shadow.jobs import Jobs, push
from feedback.shadow.loop import ShadowLoop
from feedback.shadow.pairing import Directory, wanted
from feedback.store.connection import Client
from feedback.store.keys import RedisKeys
from feedback.store.spending import spent_effect
from understudy.errors import Unavailable, UnderstudyError

log = logging.getLogger(__name__)

TOPICS = (EXCHANGES, EXPOSURES, KPIS)
IDLE = 0.15
LET_GO = 60.0
"""Seconds between two looks for what was flagged too long ago."""
SPILL = 1.0
"""Seconds between two looks at how much room rows take."""
LEASE_MARGIN = 10.0
"""Seconds that a job's lease outlasts its deadline."""


@dataclass(frozen=True, slots=True)
class WorkerConfig:
    """The sections a worker needs."""

    shadow: ShadowConfig = field(default_factory=ShadowConfig)
    pool: PoolConfig = field(default_factory=PoolConfig)
    kpis: KpisConfig = field(default_factory=KpisConfig)
    prefix: str = "us:"
    rows: Path | None = None
    """Folder of the rows of users that Redis has no room for; None: there they stay."""
    flagged: FlaggedConfig = field(default_factory=FlaggedConfig)


class Worker:
    """One worker; `run` until told to stop. Redis, bus and engines may come and go meanwhile.

    `checks` stand in for those that the configuration builds.
    """

    def __init__(
        self, bus: Bus, client: Client, outbox: Outbox, directory: Directory, config: WorkerConfig,
        checks: Sequence[Check] | None = None,
    ) -> None:  # fmt: skip
        self._client = client
        self._keys = RedisKeys(config.prefix)
        self._config = config
        self._outbox = outbox
        self._directory = directory
        self._stop = threading.Event()
        self._fault: Exception | None = None
        told = settings(self._keys, config.kpis)
        files = RowFiles(config.rows) if config.rows is not None else None
        self.consumer = Consumer(bus, client, self._keys, TOPICS, self.effects, self.bury, told, files)
        self._jobs = Jobs(client, self._keys, config.shadow.deadline + LEASE_MARGIN, outbox.vault, told, files)
        bounds = RowBounds(config.kpis.tenant_row_bytes, config.kpis.row_bytes, config.kpis.spill_bytes)
        self._spill = None if files is None else Spill(client, self._keys, files, bounds)
        pool = Pool(client, config.prefix, config.pool, outbox.vault)
        self._flagged = FlaggedStore(client, self._keys, config.flagged, outbox.vault)
        self._looked = 0.0
        checks = build(config.shadow) if checks is None else checks
        self.shadow = ShadowLoop(
            self._jobs, directory, pool, outbox, self._keys, config.shadow, checks, config.pool.hard_weight
        )

    async def run(self, stop: asyncio.Event) -> None:
        """Consume and ask until `stop` is set; returns within about a second of it.

        Raises:
            UnderstudyError: consumption ended by a fault of ours; whoever runs the worker starts it again.
        """
        loop = asyncio.get_running_loop()
        thread = threading.Thread(target=self._consume_until_stopped, args=(loop, stop), name="consumer", daemon=True)
        thread.start()
        spilling = threading.Thread(target=self._spill_until_stopped, name="spill", daemon=True)
        spilling.start()
        try:
            await self.shadow.run(stop)
        finally:
            self._stop.set()
            await asyncio.to_thread(thread.join, 3.0)
            await asyncio.to_thread(spilling.join, 3.0)
        if self._fault is not None:
            raise UnderstudyError(f"consumption ended: {self._fault!r}; see the log") from self._fault

    def effects(self, topic: str, received: Received) -> list[list[Any]]:
        """Commands of one event; what cannot be read or reckoned goes to the dead letters first.

        Raises:
            Unavailable: it could not be stored there; the event is read again later.
            Waits: it is of a newer program; its partition waits until such a one reads it.
        """
        if not received.value:  # the bus refused it, and who sent it made dead letters of it
            return [["HINCRBY", self._keys.counters, f"dead_{topic}", 1]]
        try:
            return self._effects(topic, received.value, time.time())
        except Purged:
            return [["HINCRBY", self._keys.counters, f"purged_{topic}", 1]]
        except ValueError as error:  # not JSON, or not an event
            if newer := newer_schema(topic, received.value):
                raise Waits(f"an event has schema version {newer}, newer than this worker knows: upgrade it") from None
            return self.bury(topic, received, _why(error))
        except Exception as error:  # whatever an event may hold, those behind it must not wait for it
            log.exception("an event of %s goes to the dead letters", topic)
            return self.bury(topic, received, repr(error))

    def _effects(self, topic: str, value: bytes, now: float) -> list[list[Any]]:
        if topic == KPIS:
            kpi = self._outbox.vault.open(Kpi, value)
            if kpi.kpi == APPEAL:
                return [self._counted(f"appeals_{'kept' if self._flagged.appeal(kpi, now) else 'dropped'}")]
            if kpi.kpi == EXTERNAL_TOKENS and not kpi.target:  # what clients send has one
                return [spent_effect(self._keys, "primary", int(kpi.value), kpi.at)]
            return feedback_effects(self._keys, kpi)
        if topic == EXPOSURES:
            return exposure_effects(self._keys, self._outbox.vault.open(Exposure, value))
        exchange = self._outbox.vault.open(Exchange, value)
        session = session_name(exchange.tenant, exchange.session)
        held = [hold(self._keys, session, now)] if exchange.flagged else []
        if exchange.guard_stage:
            held.append(self._counted(f"flagged_{'kept' if self._flagged.keep(exchange, now) else 'dropped'}"))
        commands = exchange_effects(self._keys, exchange) + held
        if exchange.degraded:
            return commands
        arms = self._directory.arms()
        if arms is not None and wanted(exchange, arms):
            shadow = self._config.shadow
            stored = self._outbox.vault.seal(exchange).decode()
            commands.append(push(self._keys, exchange.id, stored, now, shadow.deadline, shadow.queue, session))
        return commands

    def _counted(self, what: str) -> list[Any]:
        return ["HINCRBY", self._keys.counters, what, 1]

    def bury(self, topic: str, received: Received, error: str) -> list[list[Any]]:
        """Keep an event as a dead letter; the commands that count it.

        Raises:
            Unavailable: it could not be stored.
        """
        session = received.key or f"{received.spool}:{received.number}"
        place = received.position
        made = letters(
            topic, session, received.value, error, spool=received.spool, number=received.number, position=place
        )
        for part in made:
            self._outbox.put_raw(topic + DEAD_LETTER, session, part)
        return [["HINCRBY", self._keys.counters, f"dead_{topic}", 1]]

    def _consume_until_stopped(self, loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
        try:
            self._consume()
        except Exception as error:
            log.exception("consumption ended")
            self._fault = error
            loop.call_soon_threadsafe(stop.set)

    def _spill_until_stopped(self) -> None:
        """Keep rows within their bounds, as the one worker that owns the first partition."""
        if self._spill is None:
            return
        if not installed():
            log.info("without the extra `experiments` rows of users stay in Redis: see `kpis.tenant_row_bytes`")
            return
        while not self._stop.is_set():
            taken = 0
            try:
                if (TOPICS[0], 0) in self.consumer.owned:
                    taken = self._spill.step()
            except (OSError, UnderstudyError) as error:
                log.warning("rows of users stay in Redis: %s", error)
            self._stop.wait(0.0 if taken else SPILL)

    def _let_go(self) -> None:
        """Now and then remove what is too old of what was flagged, and sessions beyond their number."""
        if time.monotonic() - self._looked < LET_GO and self._looked:
            return
        self._flagged.expire(time.time())
        make_room(self._client, self._keys)
        self._looked = time.monotonic()

    def _consume(self) -> None:
        pause = IDLE
        away = False
        while not self._stop.is_set():
            try:
                self._let_go()
                applied = self.consumer.step()
                if away:
                    log.info("the bus is back")
                pause, away = (0.0 if applied else IDLE), False
            except Unavailable as error:
                if not away:
                    log.warning("consumption waits: %s", error.message)
                pause, away = min(2.0, max(pause, IDLE) * 2), True
            self._stop.wait(pause)
        try:
            self.consumer.release()
        except Unavailable as error:
            log.info("the leases were not given back and will run out: %s", error.message)


def _why(error: ValueError) -> str:
    """What is wrong with an event, without a word of what stands in it."""
    if not isinstance(error, ValidationError):
        return str(error)
    faults = error.errors(include_input=False, include_url=False, include_context=False)
    return "; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in faults)
