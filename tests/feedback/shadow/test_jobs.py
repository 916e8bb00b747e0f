"""A copy is held by one worker at a time, and ends once."""

from __future__ import annotations

import json
import time
from pathlib import Path

from feedback.kpis.store import KpiStore
from feedback.privacy.vault import Vault
from feedback.shadow.jobs import ATTEMPTS, Jobs, push
from feedback.store.connection import connect
from feedback.store.keys import RedisKeys
from feedback.store.scripts import source
from tests.feedback.factory import exchange

KEYS = RedisKeys()


def test_a_job_whose_worker_died_is_taken_again_and_given_up_at_last(redis_url: str, tmp_path: Path) -> None:
    client, vault = connect(redis_url), Vault(tmp_path)
    command = push(KEYS, exchange(1).id, vault.seal(exchange(1)).decode(), time.time(), 5.0, 10)
    apply = client.register_script(source("effects"))
    client.set("lease", "me")
    apply(["lease", "cursors", "applied"], ["me", "f", '[["1", "s", 1, [' + json.dumps(command) + "]]]"])
    jobs = Jobs(client, KEYS, lease=10, vault=vault)
    now = time.time()
    first = jobs.claim(now)
    assert first
    assert first.exchange == exchange(1, at=first.exchange.at)
    assert jobs.claim(now + 1) is None
    again = jobs.claim(now + 11)
    assert again
    assert again.until > now + 11
    assert jobs.finish(first.id, [["INCR", "done"]])
    assert not jobs.finish(first.id, [["INCR", "done"]])
    assert client.get("done") == b"1"
    assert jobs.waiting() == 0
    apply(["lease", "cursors", "applied"], ["me", "f", '[["2", "s", 2, [' + json.dumps(command) + "]]]"])
    for attempt in range(ATTEMPTS + 1):
        jobs.claim(now + 100 * (attempt + 1))
    assert jobs.waiting() == 0
    assert KpiStore(client).counters()["dropped_given_up"] == 1


def test_a_job_of_a_purged_tenant_ends_without_being_asked(redis_url: str, tmp_path: Path) -> None:
    client, vault = connect(redis_url), Vault(tmp_path)
    asked = exchange(1, tenant="acme")
    command = push(KEYS, asked.id, vault.seal(asked).decode(), time.time(), 5.0, 10)
    client.set("lease", "me")
    client.register_script(source("effects"))(
        ["lease", "cursors", "applied"], ["me", "f", '[["1", "s", 1, [' + json.dumps(command) + "]]]"]
    )
    vault.keys.destroy("acme", time.time())
    jobs = Jobs(client, KEYS, lease=10, vault=vault)
    assert jobs.claim(time.time()) is None
    assert jobs.waiting() == 0
    assert KpiStore(client).counters()["dropped_purged"] == 1
