"""A tenant's shadow pairs in Redis."""

from __future__ import annotations

import json

from feedback.events import Verdict
from feedback.kpis.store import KpiStore
from feedback.shadow.forgetting import forget_pairs
from feedback.store.connection import connect
from feedback.store.keys import RedisKeys


def test_jobs_and_verdicts_of_a_tenant_go_and_those_of_others_stay(redis_url: str) -> None:
    client, keys = connect(redis_url), RedisKeys()
    for n, tenant in enumerate(("acme", "other", "acme")):
        stored = json.dumps({"until": 1.0, "exchange": json.dumps({"id": str(n), "tenant": tenant})})
        client.hset(keys.payloads, str(n), stored)
        client.zadd(keys.jobs, {str(n): n})
        verdict = Verdict(
            id=str(n), session="s", at=1.0, tenant=tenant, exchange="e", teacher="t", student="v", similarity=1.0
        )
        client.lpush(keys.verdicts, verdict.model_dump_json())
    assert forget_pairs(client, keys, "acme") == (2, 2)
    assert client.zrange(keys.jobs, 0, -1) == [b"1"] == client.hkeys(keys.payloads)
    assert client.llen(keys.verdicts) == 1
    assert KpiStore(client).counters()["dropped_purged"] == 2
    assert forget_pairs(client, keys, "acme") == (0, 0)
