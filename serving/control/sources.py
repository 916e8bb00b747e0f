"""What the control plane shows from Redis: pool, KPIs, exposures, lag; and the request for a round.

Everything here may be away; then the answer says so instead of failing the whole page.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import asdict
from typing import Any

import redis

from ab.summary import Stat
from deploy.engines.external import external_engines
from deploy.routing.keys import DeployKeys
from deploy.routing.quick_redis import QuickRedis
from feedback.bus.config import BusConfig
from feedback.bus.opening import open_bus
from feedback.flagged.config import FlaggedConfig
from feedback.flagged.store import FlaggedStore
from feedback.kpis.config import KpisConfig
from feedback.kpis.exporting import experiment_rows
from feedback.kpis.figures import figures
from feedback.kpis.forgetting import forget_tenant, forget_versions
from feedback.kpis.names import counted
from feedback.kpis.ratios import ratios
from feedback.kpis.store import By, KpiStore
from feedback.kpis.trials import Phases
from feedback.pool.config import PoolConfig
from feedback.pool.store import Pool
from feedback.privacy.vault import FOLDER, Vault
from feedback.rows.files import RowFiles
from feedback.shadow.forgetting import forget_pairs
from feedback.store.config import RedisConfig
from feedback.store.connection import connect, redis_errors
from feedback.store.keys import RedisKeys
from feedback.store.spending import Spending
from serving.breaker.openings import Opening, Openings
from serving.control.dead import Dead
from understudy.clock import monotonic
from understudy.config import Config
from understudy.errors import Unavailable
from understudy.state import StateDir

TOLD = ("feedback", "exchanges_", "targets_", "kpi_", "dead_")
"""Counters shown beside the KPIs begin so."""
FRESH = 1.0
"""Seconds that figures of versions are reused."""


class Sources:
    """Readers over one Redis; without one every method raises Unavailable."""

    def __init__(self, config: Config, redis: RedisConfig, state: StateDir | None = None) -> None:
        """`state`: where spilled rows of users and the tenants' keys lie."""
        self._files = None if state is None else RowFiles(state.rows)
        self._vault = None if state is None else Vault(state.spool / FOLDER)
        self.kpi_names = counted(config.section(KpisConfig))
        """Every KPI that is counted."""
        self.ratios = ratios(config.section(KpisConfig))
        """By which an experiment can be judged."""
        self._figures = figures(config.section(KpisConfig))
        teacher = external_engines(config).get("teacher")
        self._cap = None if teacher is None else teacher.daily_tokens
        self._prefix = redis.prefix
        self._redis = redis
        self._kept = config.section(FlaggedConfig)
        self._bus = config.section(BusConfig)
        self._client = connect(redis.url, 0.5) if redis.url else None
        if self._client is not None:
            self._kpis = KpiStore(self._client, self._prefix)
            self._pool = Pool(self._client, self._prefix, config.section(PoolConfig))
        self._read: dict[tuple[str, str], tuple[float, Any]] = {}

    def kpis(self, by: By) -> dict[str, Any]:
        """KPIs by arm or version, with their intervals, and what their memory holds and dropped."""
        self._need()
        kpis = self._kpis.by(by, timed=False)
        quantiles = {name: self._kpis.quantiles(by, name) for name in kpis}
        for name, of in quantiles.items():
            for kpi in set(of) & set(kpis[name]):
                kpis[name][kpi] |= {q: one.value for q, one in of[kpi].items()}
        counters = {name: n for name, n in self._kpis.counters().items() if name.startswith(TOLD)}
        return {
            "by": by, "kpis": kpis, "bytes": self._kpis.held(), "counters": counters,
            "figures": _plain(self._kpis.figures(by, self._figures)), "quantiles": _plain(quantiles),
            "flagged": self.flagged().counts(time.time()),
        }  # fmt: skip

    def stats(self) -> Mapping[str, Mapping[str, Stat]] | None:
        """Single values by version, at most a second old; None while they cannot be had."""
        rows = self._fresh("stats", "", lambda: self._kpis.by("version", timed=False))
        return rows and {v: {k: Stat.read(s) for k, s in kpis.items()} for v, kpis in rows.items()}

    def trial(self, candidate: str) -> Phases | None:
        """See `deploy.life.harm.Evidence`; at most a second old."""
        found: Phases | None = self._fresh("trial", candidate, lambda: self._kpis.trial(candidate))
        return found

    def p99(self, version: str, of: str = "latency") -> float | None:
        """See `deploy.life.harm.Evidence`; at most a second old."""
        found = self._fresh("p99", version, lambda: self._kpis.quantiles("version", version)) or {}
        return found[of]["p99"].value if of in found else None

    def _fresh(self, what: str, of: str, read: Callable[[], Any]) -> Any:
        """What `read` says, or said within the last second; None while it cannot be had."""
        at, value = self._read.get((what, of), (-FRESH, None))
        if monotonic() - at >= FRESH:
            try:
                self._need()
                value = read()
            except Unavailable:
                value = None
            self._read[what, of] = (monotonic(), value)
        return value

    def exposures(self, experiment: str) -> dict[str, Any]:
        """Exposures and units by arm of an experiment."""
        self._need()
        return self._kpis.exposures(experiment)

    def arms(self, experiment: str) -> dict[int, dict[str, dict[int, dict[str, float]]]]:
        """Sums over distinct users of an experiment by phase, arm and hour of first exposure."""
        self._need()
        return self._kpis.arms(experiment)

    def lines(self, experiment: str) -> dict[str, dict[int, dict[str, dict[int, dict[str, float]]]]]:
        """The same as `arms` by line of business and day of first exposure."""
        self._need()
        return self._kpis.lines(experiment)

    def paired(self, experiment: str) -> dict[int, dict[str, dict[str, float]]]:
        """Sums over distinct users of an experiment's shadow pairs by phase and student's version."""
        self._need()
        return self._kpis.paired(experiment)

    def returning(self, experiment: str) -> dict[int, int]:
        """Of each phase of an experiment the units that another phase had before."""
        self._need()
        return self._kpis.returning(experiment)

    def two_arms(self, experiment: str) -> dict[int, int]:
        """Of each phase of an experiment the units that came in a second arm."""
        self._need()
        return self._kpis.two_arms(experiment)

    def rows(self, experiment: str, covariates: Collection[str]) -> Iterator[dict[str, Any]]:
        """Every unit of an experiment and phase; see `feedback.kpis.exporting`.

        Raises:
            Unavailable: Redis is away, at once or in the middle, or spilled rows cannot be read.
        """
        client, keys = self._need(), RedisKeys(self._prefix)
        if self._vault is None:
            raise Unavailable("rows are exported where the state directory is")
        salted = self._vault.salted
        return experiment_rows(client, keys, self._files, experiment, self.ratios, salted, covariates)

    def arms_before(self) -> list[dict[int, dict[str, float]]]:
        """Sums over distinct users of each arm by hour of first exposure, whatever decided for it."""
        self._need()
        return list(self._kpis.cohorts("arm").values())

    def dead(self) -> Dead:
        """The dead letters of the bus."""
        return Dead(lambda: open_bus(self._bus, self._redis), self._need(), self._prefix)

    def pool(self) -> dict[str, Any]:
        """Size of the pool and samples by kind."""
        self._need()
        return {
            "size": self._pool.size(), "anchors": self._pool.anchors(), "by_kind": self._pool.counts_by_kind(),
            "by_tenant": self._pool.counts_by_tenant(), **self._pool.counters(),
        }  # fmt: skip

    def purge(self, tenant: str, until: float) -> int:
        """Remove the samples of a tenant, its shadow pairs, and what KPIs hold of it; returns how many samples.

        Then Redis writes its log anew, so that it holds nothing of them either.
        """
        client, keys = self._need(), RedisKeys(self._prefix)
        forget_tenant(client, keys, tenant)
        if self._files is not None:
            self._files.forget(tenant)
        forget_pairs(client, keys, tenant)
        self.flagged().purge(tenant, until)
        removed = self._pool.purge(tenant, until)
        with contextlib.suppress(redis.RedisError):  # one that writes it anew already, or may not: texts are sealed
            client.bgrewriteaof()
        return removed

    def forget_versions(self, versions: list[str]) -> list[str]:
        """Forget what KPIs hold of versions that are long gone; returns those of which there was something."""
        return forget_versions(self._need(), RedisKeys(self._prefix), versions)

    def spent(self) -> dict[str, Any]:
        """Tokens of today by purpose, asked of a teacher that somebody else runs, and their cap."""
        today = self.spending().today()
        return {"cap": self._cap, **{str(purpose): tokens for purpose, tokens in today.items()}}

    def spending(self) -> Spending:
        """The account of what such a teacher was asked for."""
        return Spending(self._need(), RedisKeys(self._prefix), self._cap)

    def flagged(self) -> FlaggedStore:
        """What the guard flagged or degraded."""
        return FlaggedStore(self._need(), RedisKeys(self._prefix), self._kept, self._vault)

    def request_round(self, why: str) -> None:
        """Ask the trainer for a round."""
        client = self._need()
        with redis_errors():
            client.set(RedisKeys(self._prefix).round_request, why)

    def release(self, name: str) -> None:
        """Tell the gateways to close a user's breaker.

        Raises:
            Unavailable: there is no Redis to tell them by, or it is away.
        """
        opening, keys = Opening(name, 0.0), DeployKeys(self._prefix)
        if not self._redis.url or not Openings(QuickRedis(self._redis.url), keys.openings, "", 0.0).tell(opening):
            raise Unavailable("gateways cannot be told without Redis; their breakers let probes through by themselves")

    def lag(self) -> dict[str, int] | None:
        """Events that the workers have yet to consume, as the workers report; None when unknown."""
        client = self._need()
        with redis_errors():
            raw: Any = client.hgetall(RedisKeys(self._prefix).lag)
        lag: dict[str, int] = {}
        for field, n in raw.items():
            topic = field.decode().rpartition(":")[0]
            lag[topic] = lag.get(topic, 0) + int(n)
        return lag or None

    def meters(self) -> dict[str, dict[str, float]]:
        """By topic: `oldest_seconds`, the age of the oldest event that waits, and `per_second`, as workers report."""
        client = self._need()
        with redis_errors():
            raw: Any = client.hgetall(RedisKeys(self._prefix).meters)
        found: dict[str, dict[str, float]] = {"oldest_seconds": {}, "per_second": {}}
        for field, text in raw.items():
            topic, told = field.decode().rpartition(":")[0], json.loads(text)
            found["oldest_seconds"][topic] = max(found["oldest_seconds"].get(topic, 0.0), told["oldest_seconds"])
            found["per_second"][topic] = found["per_second"].get(topic, 0.0) + told["per_second"]
        return found

    def bus_lost(self) -> int:
        """Events that the workers know never came."""
        client = self._need()
        with redis_errors():
            return int(client.hget(RedisKeys(self._prefix).counters, "bus.lost") or 0)

    def _need(self) -> Any:
        if self._client is None:
            raise Unavailable("there is no Redis: set redis.url, or start everything with `understudy up`")
        return self._client


def _plain(value: Any) -> Any:
    """Records, inside of mappings, as mappings."""
    if isinstance(value, Mapping):
        return {name: _plain(one) for name, one in value.items()}
    return asdict(value)
