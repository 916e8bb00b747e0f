"""Every store of a state directory with its size and the rule by which it lets go: the table that `doctor` shows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import redis

from deploy.control.retention import store_uses
from deploy.life.config import RolloutConfig
from deploy.registry.config import RegistryConfig
from feedback.bus.config import BusConfig
from feedback.flagged.config import FlaggedConfig
from feedback.kpis.config import KpisConfig
from feedback.outbox.config import OutboxConfig
from feedback.pool.config import PoolConfig
from feedback.privacy.vault import FOLDER
from feedback.shadow.config import ShadowConfig
from feedback.store.connection import connect, find_redis
from feedback.store.keys import RedisKeys
from understudy.config import Config
from understudy.errors import UnderstudyError
from understudy.process.rotation import LOG_BYTES
from understudy.retention import StoreUse, file_bytes, folder_bytes
from understudy.state import StateDir

MOST_KEYS = 20_000
"""Keys of Redis that are measured; beyond it sizes are of a part."""
SECONDS = 2.0


def all_stores(config: Config, state: StateDir) -> list[StoreUse]:
    """Files first, then what Redis holds, where it can be asked."""
    files = store_uses(state, config.section(RegistryConfig), config.section(RolloutConfig))
    return [*files, *_of_files(config, state), *_of_redis(config, state)]


def _of_files(config: Config, state: StateDir) -> Iterator[StoreUse]:
    outbox = config.section(OutboxConfig)
    spools = sorted(state.spool.glob("*.db*"))
    kept = f"{outbox.keep_seconds:g} s after the bus took an event; {outbox.spool_bytes >> 20} MiB each at most"
    yield StoreUse("spools", "spool/*.db", sum(map(file_bytes, spools)), len(spools), kept)
    yield _folder("tenants' keys", state.spool / FOLDER, state, "until `understudy pool purge`; tombstones stay")
    spilled = f"{config.section(KpisConfig).spill_bytes >> 20} MiB a tenant, the oldest file goes; a purge"
    yield _folder("spilled rows of users", state.rows, state, spilled)
    yield _folder("targets", state.rounds / "kept", state, "`trainer.cache_mb` of targets; a bounded reservoir of rows")
    yield _folder("Redis", state.redis, state, "log and image of what is listed below; written anew as it grows")
    yield _folder("logs", state.logs, state, f"{LOG_BYTES >> 20} MiB of each role, and one former log")
    yield _folder("caches", state.cache, state, "may be removed at any time")


def _folder(name: str, folder: Path, state: StateDir, rule: str) -> StoreUse:
    items = sum(1 for path in folder.rglob("*") if path.is_file())
    return StoreUse(name, f"{folder.relative_to(state.root)}/", folder_bytes(folder), items, rule)


def _rules(config: Config, keys: RedisKeys) -> dict[str, tuple[str, str]]:
    """Beginning of a key -> name and rule; the first that fits counts."""
    bus, kpis, pool = config.section(BusConfig), config.section(KpisConfig), config.section(PoolConfig)
    kept, days = config.section(FlaggedConfig), f"{kpis.late_days:g} days"
    return {
        keys.payloads: ("shadow jobs", f"`shadow.queue` {config.section(ShadowConfig).queue}, until their deadline"),
        keys.jobs: ("shadow jobs", "as above"),
        f"{keys.prefix}bus:": (
            "streams, dead letters",
            f"until consumed; verdicts, hard samples and letters the newest {bus.max_stream_bytes >> 20} MiB each",
        ),
        keys.pool: ("pool", f"{pool.capacity} hard samples, {pool.anchors} anchors; the oldest of who is over goes"),
        keys.flagged: (
            "flagged requests",
            f"{kept.days:g} days, {kept.bytes >> 20} MiB; their sessions as hashes, the latest 200,000 at most",
        ),
        keys.verdicts: ("verdicts", "the latest 500, without text"),
        keys.targets: ("KPI targets", f"{days}, {kpis.target_bytes >> 20} MiB"),
        keys.early: ("early feedback", f"{days}, {kpis.early_bytes >> 20} MiB"),
        keys.rows: (
            "KPI rows of users",
            f"{kpis.tenant_row_bytes >> 20} MiB a tenant, {kpis.row_bytes >> 20} in all; places {kpis.row_places}",
        ),
        keys.exposures: ("exposed users", "a number by arm and phase of each experiment, all"),
        keys.places: ("KPI places", "names of arms, versions and phases that rows refer to, all"),
        keys.sketches: (
            "latency sketches",
            f"of arms and experiments all; of a version until {days} after its weights went",
        ),
        f"{keys.prefix}kpi:": (
            "KPI sums",
            f"of arms and experiments all; of a version until {days} after its weights went",
        ),
        keys.spent: ("spending", "a number by day and purpose, all"),
        keys.prefix: ("routing, leases", "the newest document; beats and leases expire"),
    }


def _of_redis(config: Config, state: StateDir) -> Iterator[StoreUse]:
    try:
        settings = find_redis(config, state)
        if not settings.url:
            return
        client, keys = connect(settings.url, SECONDS), RedisKeys(settings.prefix)
        rules = _rules(config, keys)
        held: dict[str, list[int]] = {name: [0, 0] for name, _ in rules.values()}
        for number, key in enumerate(client.scan_iter(match=f"{settings.prefix}*", count=1000)):
            if number == MOST_KEYS:
                break
            name = next(name for start, (name, _) in rules.items() if key.decode("utf-8", "replace").startswith(start))
            held[name][0] += int(client.memory_usage(key, samples=1) or 0)
            held[name][1] += 1
    except (redis.RedisError, UnderstudyError):
        return
    said = dict(reversed(rules.values()))
    for name, (size, count) in held.items():
        yield StoreUse(name, f"Redis {settings.prefix}", size, count, said[name])


def table(stores: list[StoreUse]) -> list[str]:
    """One line a store: name, place, size, pieces, rule."""
    return [f"{one.name:<22}{one.bytes / 1e6:>9.1f} MB {one.items:>7}  {one.rule} ({one.where})" for one in stores]
