"""What KPIs hold of a tenant, forgotten: rows of users, targets of feedback, feedback that waits."""

from __future__ import annotations

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
