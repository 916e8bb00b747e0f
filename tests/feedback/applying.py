"""Events applied as the worker's call applies them, without bus and worker."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from feedback.events import Exchange, Exposure, Kpi
from feedback.kpis.config import KpisConfig
from feedback.kpis.effects import exchange_effects, exposure_effects, feedback_effects, settings
from feedback.kpis.store import KpiStore
from feedback.rows.calling import RowScript
from feedback.rows.files import RowFiles
from feedback.store.connection import connect
from feedback.store.keys import RedisKeys
from feedback.store.scripts import ROWS

KEYS = RedisKeys()
LEASE, FIELD, APPLIED = "us:lease", "t:0", "us:applied"


class Applier:
    """Applies to the Redis at `url`; `kpis` reads what came of it."""

    def __init__(
        self, url: str, config: KpisConfig | None = None, spool: str = "spool", files: RowFiles | None = None
    ) -> None:
        self.client = connect(url)
        self.kpis = KpiStore(self.client)
        self.config = config or KpisConfig()
        self._script = RowScript(self.client, (*ROWS, "targets", "effects"), files)
        self._spool, self._number = spool, 0
        self.client.set(LEASE, "owner")

    def commands(self, batch: Sequence[list[list[Any]]]) -> tuple[int, int, str]:
        """The answer of one call that applies the commands of several events."""
        rows, after = [], (self.client.hget(KEYS.cursors, FIELD) or b"").decode()
        for commands in batch:
            self._number += 1
            rows.append([f"{self._number}-0", self._spool, self._number, commands])
        arguments = ["owner", FIELD, json.dumps([after, rows]), settings(KEYS, self.config)]
        applied, faulty, why = self._script([LEASE, KEYS.cursors, APPLIED, KEYS.counters], arguments)
        return int(applied), int(faulty), why.decode()

    def events(self, events: Iterable[Exchange | Exposure | Kpi], batch: int = 64) -> None:
        """Apply events, a batch a call; none of them may fail."""
        rows = [effects_of(one) for one in events]
        for at in range(0, len(rows), batch):
            part = rows[at : at + batch]
            assert self.commands(part) == (len(part), 0, "")


def effects_of(event: Exchange | Exposure | Kpi) -> list[list[Any]]:
    """What the worker makes of an event."""
    if isinstance(event, Exposure):
        return exposure_effects(KEYS, event)
    return exchange_effects(KEYS, event) if isinstance(event, Exchange) else feedback_effects(KEYS, event)


def feedback(n: int, value: float, target: str, *, kpi: str = "rating", at: float, **more: Any) -> Kpi:
    """A statement about a response, or about `session:<id>`."""
    return Kpi(id=more.pop("id", f"k{n}"), session="s", at=at, kpi=kpi, value=value, target=target, **more)
