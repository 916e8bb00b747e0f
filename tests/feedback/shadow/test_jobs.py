"""A copy is held by one worker at a time, and ends once."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from feedback.kpis.config import KpisConfig
from feedback.kpis.effects import settings
from feedback.kpis.store import KpiStore
from feedback.privacy.vault import Vault
from feedback.shadow.jobs import ATTEMPTS, Jobs, push
from feedback.store.connection import connect
from feedback.store.keys import RedisKeys
from tests.feedback.applying import Applier
from tests.feedback.factory import exchange
from understudy.errors import Unavailable

KEYS = RedisKeys()


def test_a_job_whose_worker_died_is_taken_again_and_given_up_at_last(redis_url: str, tmp_path: Path) -> None:
    client, vault = connect(redis_url), Vault(tmp_path)
    command = push(KEYS, exchange(1).id, vault.seal(exchange(1)).decode(), time.time(), 5.0, 10)
    applier = Applier(redis_url)
    applier.commands([[command]])
    jobs = Jobs(client, KEYS, lease=10, vault=vault, told=settings(KEYS, KpisConfig()))
    now = time.time()
    first = jobs.claim(now)
    assert first
    assert first.exchange == exchange(1, at=first.exchange.at)
    assert jobs.claim(now + 1) is None
    again = jobs.claim(now + 11)
    assert again
    assert again.until > now + 11
    assert jobs.finish(first.id, [["HINCRBY", "done", "n", 1]])
    assert not jobs.finish(first.id, [["HINCRBY", "done", "n", 1]])
    assert client.hget("done", "n") == b"1"
    assert jobs.waiting() == 0
    applier.commands([[command]])
    for attempt in range(ATTEMPTS + 1):
        jobs.claim(now + 100 * (attempt + 1))
    assert jobs.waiting() == 0
    assert KpiStore(client).counters()["dropped_given_up"] == 1


def test_a_job_of_a_purged_tenant_ends_without_being_asked(redis_url: str, tmp_path: Path) -> None:
    client, vault = connect(redis_url), Vault(tmp_path)
    asked = exchange(1, tenant="acme")
    command = push(KEYS, asked.id, vault.seal(asked).decode(), time.time(), 5.0, 10)
    Applier(redis_url).commands([[command]])
    vault.keys.destroy("acme", time.time())
    jobs = Jobs(client, KEYS, lease=10, vault=vault, told=settings(KEYS, KpisConfig()))
    assert jobs.claim(time.time()) is None
    assert jobs.waiting() == 0
    assert KpiStore(client).counters()["dropped_purged"] == 1


def test_a_job_whose_effects_cannot_be_stored_goes_on_and_nothing_of_them_is_stored(
    redis_url: str, tmp_path: Path
) -> None:
    client, vault = connect(redis_url), Vault(tmp_path)
    command = push(KEYS, exchange(1).id, vault.seal(exchange(1)).decode(), time.time(), 5.0, 10)
    Applier(redis_url).commands([[command]])
    jobs = Jobs(client, KEYS, lease=10, vault=vault, told=settings(KEYS, KpisConfig()))
    client.set(f"{KEYS.kpis}version:v1", "of another type")
    effects = [["count", f"{KEYS.kpis}version:v{n}", {"similarity": 1.0}] for n in (2, 3, 4, 5, 6, 7, 8, 9, 1)]
    with pytest.raises(Unavailable, match="WRONGTYPE"):
        jobs.finish(exchange(1).id, effects)
    assert (jobs.waiting(), list(client.scan_iter(f"{KEYS.kpis}*"))) == (1, [f"{KEYS.kpis}version:v1".encode()])
    client.delete(f"{KEYS.kpis}version:v1")
    client.set(f"{KEYS.payloads}:taken", "of another type")
    with pytest.raises(Unavailable, match="WRONGTYPE"):
        jobs.finish(exchange(1).id, effects)
    assert (jobs.waiting(), list(client.scan_iter(f"{KEYS.kpis}*"))) == (1, [])
    client.delete(f"{KEYS.payloads}:taken")
    assert jobs.finish(exchange(1).id, effects)
    assert not jobs.finish(exchange(1).id, effects)
    assert KpiStore(client).by("version")["v1"]["similarity"]["n"] == 1
