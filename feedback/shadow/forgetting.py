"""What Redis holds of a tenant's shadow pairs, taken away when the tenant is purged."""

from __future__ import annotations

import json
from typing import Any

from feedback.store.connection import Client, redis_errors
from feedback.store.keys import RedisKeys
from feedback.store.scripts import source


def forget_pairs(client: Client, keys: RedisKeys, tenant: str) -> tuple[int, int]:
    """End the tenant's waiting jobs and drop its latest verdicts; how many of each. Raises Unavailable."""
    finish = client.register_script(source("staging", "finish"))
    with redis_errors():
        jobs = [
            identity.decode()
            for identity, payload in client.hscan_iter(keys.payloads, count=200)
            if _tenant_of(json.loads(payload)["exchange"]) == tenant
        ]
        counted = json.dumps([["HINCRBY", keys.counters, "dropped_purged", 1]])
        ended = sum(bool(finish([keys.jobs, keys.payloads], [identity, counted])) for identity in jobs)
        rows: Any = client.lrange(keys.verdicts, 0, -1)
        verdicts = [row for row in rows if _tenant_of(row) == tenant]
        for row in verdicts:
            client.lrem(keys.verdicts, 1, row)
    return ended, len(verdicts)


def _tenant_of(event: Any) -> str:
    fields = event if isinstance(event, dict) else json.loads(event)
    return str(fields.get("tenant", "default"))
