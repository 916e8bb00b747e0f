"""Flagged and degraded requests in Redis, for operators: bounded by bytes and days, texts sealed under a tenant's key.

An entry is a request that the guard flagged or degraded, an appeal (feedback `false_positive`) on one that is not held,
or both; which of the two came first makes no difference. Nothing here is read by anything that learns. Every method
blocks briefly and raises Unavailable while Redis is away.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from typing import Any, cast

from pydantic import BaseModel, ConfigDict

from feedback.events import Exchange, Kpi
from feedback.flagged.config import FlaggedConfig
from feedback.privacy.vault import Vault
from feedback.store.connection import Client, redis_errors
from feedback.store.keys import RedisKeys
from feedback.store.scripts import source
from understudy.errors import Conflict, NotFound
from understudy.ids import stable_id

DAY = 86_400.0
COUNTED = ("tenant", "verdict", "stage", "arm", "version")
"""What requests are counted by."""


class FlaggedEntry(BaseModel):
    """What the list says of a request; no word of its text."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    id: str
    tenant: str
    at: float
    """Seconds since the epoch; of an appeal on a request that is not held, when it came."""
    verdict: str = "unknown"
    """`flag`, `degrade` (`deadline`: for its time alone), or `unknown` of an appeal on a request that is not held."""
    stage: str = ""
    score: float | None = None
    arm: str = ""
    version: str = ""
    user: str = ""
    """What the breaker of its user is called."""
    response_id: str = ""
    appealed: float | None = None
    """When a client said that it was harmless."""
    mark: str = ""
    """What an operator said of it: `good`, `bad`, or nothing."""
    text: bool = False
    """Whether its text is held."""


def entry_id(tenant: str, response_id: str) -> str:
    """What the request of a reply is called in the list."""
    return stable_id("flagged", tenant, response_id)[:16]


class FlaggedStore:
    """`vault`: under whose keys texts lie; None for whoever only lists, marks and removes."""

    def __init__(self, client: Client, keys: RedisKeys, config: FlaggedConfig, vault: Vault | None = None) -> None:
        self._redis = client
        self._p = keys.flagged
        self._config = config
        self._vault = vault
        self._script = client.register_script(source("flagged"))

    def keep(self, exchange: Exchange, now: float) -> bool:
        """Keep a redacted exchange; again it changes nothing. False: it is longer than what a tenant may hold.

        Raises:
            Purged: it happened before its tenant was purged.
        """
        assert self._vault is not None
        meta = FlaggedEntry(
            id=entry_id(exchange.tenant, exchange.response_id or exchange.id), tenant=exchange.tenant, at=exchange.at,
            verdict={"": "flag", "guard": "degrade"}.get(exchange.degraded, exchange.degraded),
            stage=exchange.guard_stage, score=exchange.guard_score, arm="" if exchange.degraded else exchange.arm,
            version=exchange.version, user=exchange.guard_user, response_id=exchange.response_id,
        )  # fmt: skip
        return self._put("keep", meta, self._vault.seal(exchange), now)

    def appeal(self, kpi: Kpi, now: float) -> bool:
        """Note that a client says of one reply that its request was harmless. False: there is no room for it."""
        meta = FlaggedEntry(id=entry_id(kpi.tenant, kpi.target), tenant=kpi.tenant, at=kpi.at, response_id=kpi.target)
        return self._put("appeal", meta, b"", now)

    def listed(
        self, now: float, appeals: bool = False, tenant: str | None = None, most: int = 200
    ) -> list[FlaggedEntry]:
        """The latest entries, newest first, of one tenant or all; with `appeals` those that nobody marked yet."""
        order = "order" if tenant is None else f"tenant:{tenant}"
        oldest = now - self._config.days * DAY
        with redis_errors():
            found: Any = self._redis.zrevrangebyscore(self._p + order, "+inf", f"({oldest:.3f}")
            ids = [identity.decode() for identity in found]
            if appeals:
                asked = {name.decode() for name in cast("Any", self._redis.hkeys(f"{self._p}appeals"))}
                marked = {name.decode() for name in cast("Any", self._redis.hkeys(f"{self._p}marks"))}
                ids = [identity for identity in ids if identity in asked - marked]
            return self._entries(ids[:most])

    def counts(self, now: float) -> list[dict[str, str | int]]:
        """How many requests are kept by tenant, verdict, cause, arm and version; `n` is their number."""
        counted: Counter[tuple[str, ...]] = Counter()
        with redis_errors():
            for _, said in self._redis.hscan_iter(f"{self._p}meta", count=1000):
                row = json.loads(said)
                if row["verdict"] != "unknown" and row["at"] > now - self._config.days * DAY:
                    counted[tuple(row[name] for name in COUNTED)] += 1
        return [dict(zip(COUNTED, names, strict=True)) | {"n": n} for names, n in sorted(counted.items())]

    def show(self, beginning: str) -> tuple[FlaggedEntry, Exchange | None]:
        """The entry whose id begins so, and its exchange, redacted; None where only an appeal is held.

        Raises:
            NotFound, Conflict: there is none, or more than one; Purged, Sealed: its text cannot be read any more.
        """
        entry = self.find(beginning)
        with redis_errors():
            text = cast("bytes | None", self._redis.hget(f"{self._p}text", entry.id))
        if text is None or self._vault is None:
            return entry, None
        return entry, self._vault.open(Exchange, text)

    def find(self, beginning: str) -> FlaggedEntry:
        """The entry whose id begins so; raises as `show` does."""
        with redis_errors():
            ids = [name.decode() for name in cast("Any", self._redis.hkeys(f"{self._p}meta"))]
            ids = [identity for identity in ids if identity.startswith(beginning)]
            if not ids:
                raise NotFound(
                    f"nothing flagged is called {beginning}; `understudy guard flagged list` shows what is kept"
                )
            if len(ids) > 1:
                raise Conflict(f"{len(ids)} entries begin with {beginning}: give more of the id")
            return self._entries(ids)[0]

    def mark(self, identity: str, mark: str) -> None:
        """Note what an operator says of an entry."""
        with redis_errors():
            self._script([self._p], ["mark", identity, mark])

    def marked(self, mark: str) -> list[Exchange]:
        """Exchanges that operators marked so, those whose text is held."""
        assert self._vault is not None
        with redis_errors():
            marks = cast("dict[bytes, bytes]", self._redis.hgetall(f"{self._p}marks"))
            ids = [name for name, said in marks.items() if said.decode() == mark]
            texts: Any = self._redis.hmget(f"{self._p}text", ids) if ids else []
        return [self._vault.open(Exchange, text) for text in texts if text]

    def expire(self, now: float) -> int:
        """Remove what is too old; how many."""
        with redis_errors():
            return int(cast("Any", self._script([self._p], ["expire", f"{now - self._config.days * DAY:.3f}"]))[1])

    def purge(self, tenant: str, until: float) -> int:
        """Remove what happened to a tenant up to `until`; how many entries."""
        with redis_errors():
            return int(cast("Any", self._script([self._p], ["purge", tenant, f"{until:.3f}"]))[1])

    def held(self) -> dict[str, int]:
        """Bytes by tenant."""
        with redis_errors():
            rows = cast("dict[bytes, bytes]", self._redis.hgetall(f"{self._p}bytes"))
        return {name.decode(): int(size) for name, size in rows.items()}

    def _put(self, operation: str, meta: FlaggedEntry, text: bytes, now: float) -> bool:
        config = self._config
        said = meta.model_dump_json()
        bounds = [config.tenant_bytes, config.bytes, f"{now - config.days * DAY:.3f}"]
        with redis_errors():
            row = [operation, meta.id, meta.tenant, f"{meta.at:.3f}", said, text, *bounds]
            return bool(cast("Any", self._script([self._p], row))[0])

    def _entries(self, ids: Iterable[str]) -> list[FlaggedEntry]:
        names = list(ids)
        if not names:
            return []
        pipe = self._redis.pipeline(transaction=False)
        for part in ("meta", "appeals", "marks"):
            pipe.hmget(f"{self._p}{part}", names)
        for name in names:
            pipe.hexists(f"{self._p}text", name)
        metas, appeals, marks, *texts = pipe.execute()
        found = []
        for meta, at, mark, text in zip(metas, appeals, marks, texts, strict=True):
            if meta is not None:
                beside = {
                    "appealed": None if at is None else float(at),
                    "mark": (mark or b"").decode(),
                    "text": bool(text),
                }
                found.append(FlaggedEntry.model_validate({**json.loads(meta), **beside}))
        return found
