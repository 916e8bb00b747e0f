"""What KPIs hold, forgotten: of a tenant rows of users, targets and feedback that waits; of old versions the sums."""

from __future__ import annotations

from collections.abc import Sequence

from feedback.kpis.config import KpisConfig
from feedback.kpis.effects import settings
from feedback.store.connection import Client, redis_errors
from feedback.store.keys import RedisKeys
from feedback.store.scripts import source


def forget_tenant(client: Client, keys: RedisKeys, tenant: str) -> int:
    """Forget `tenant`; returns how many rows, targets and waiting statements went. Sums, which name nobody, stay.

    Raises:
        Unavailable: Redis is away; whether they went is unknown, and asking again does no harm.
    """
    with redis_errors():
        return int(client.register_script(source("forget"))([], [tenant, settings(keys, KpisConfig())]))


def forget_versions(client: Client, keys: RedisKeys, versions: Sequence[str]) -> list[str]:
    """Forget the sums, sketches and cohorts of `versions`, and of their canaries; returns those that had any.

    What they added to their arm stays. To be called when no feedback on them can come any more: what came later
    would begin new sums.

    Raises:
        Unavailable: Redis is away; asking again does no harm.
    """
    with redis_errors():
        owners: dict[str, list[str]] = {version: [] for version in versions}
        for name in (field.decode() for field in client.hkeys(keys.cohorts)):
            kind, _, rest = name.partition(":")
            if kind in ("version", "rollout") and (owner := rest.partition(":")[0]) in owners:
                owners[owner].append(name)
        pipe = client.pipeline()
        for version, cohorts in owners.items():
            group = f"version:{version}"
            pipe.delete(keys.kpis + group, keys.sketches + group, *(keys.users + name for name in cohorts))
            pipe.hdel(keys.cohorts, "", *cohorts)
        removed = pipe.execute()[::2]
    return [version for version, count in zip(owners, removed, strict=True) if count]
