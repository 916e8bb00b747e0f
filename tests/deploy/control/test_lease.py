from __future__ import annotations

from pathlib import Path

import pytest
import redis

from deploy.control.lease import Lease
from deploy.control.lease_file import HUNG, FileLease
from feedback.store.server import RedisServer
from tests.deploy.control.lease_holder import TTL_MS
from tests.deploy.fleet import Time
from understudy.state import StateDir


@pytest.fixture(autouse=True)
def lasting(monkeypatch: pytest.MonkeyPatch) -> None:
    """No lease lapses within a test, however long a busy machine takes for it."""
    monkeypatch.setattr("deploy.control.lease_redis.TTL_MS", TTL_MS)


def test_only_one_leads_on_a_state_directory_without_redis(state_dir: StateDir) -> None:
    first, second = Lease(state_dir, None), Lease(state_dir, None)
    assert first.acquire()
    assert not second.acquire()
    first.release()
    assert second.acquire()


def test_only_one_leads_on_a_redis_and_each_leader_has_a_higher_fence(tmp_path: Path, redis_url: str) -> None:
    first, second = Lease(StateDir(tmp_path / "a"), redis_url), Lease(StateDir(tmp_path / "b"), redis_url)
    assert first.acquire()
    assert not second.acquire()
    assert first.renew()
    first.release()
    assert second.acquire()
    assert second.fence > first.fence > 0
    assert not first.renew()


def test_a_restarted_leader_need_not_wait_for_its_own_lease(state_dir: StateDir, redis_url: str) -> None:
    first = Lease(state_dir, redis_url)
    assert first.acquire()
    first._files.release()  # as kill -9 does
    second = Lease(state_dir, redis_url)
    assert second.acquire()
    assert second.fence == first.fence + 1
    assert not first.renew()


def test_the_lock_alone_is_enough_while_redis_is_away(state_dir: StateDir, own_redis: RedisServer) -> None:
    lease = Lease(state_dir, own_redis.url)
    own_redis.stop()
    assert lease.acquire()
    assert lease.fence == 1
    client = redis.Redis.from_url(own_redis.url)
    own_redis.start()
    client.set("us:controller:fence", 7)
    assert lease.renew()
    assert lease.fence == 8
    lease.release()
    own_redis.stop()
    second = Lease(state_dir, own_redis.url)
    assert second.acquire()
    assert second.fence == 9, "above what Redis gave the former one, although Redis is away"


def test_a_redis_that_lost_its_data_gets_the_fence_back(state_dir: StateDir, redis_url: str) -> None:
    client = redis.Redis.from_url(redis_url)
    client.set("us:controller:fence", 41)
    lease = Lease(state_dir, redis_url)
    assert lease.acquire()
    client.flushall()
    assert lease.renew()
    assert int(client.get("us:controller:fence")) == lease.fence == 42  # type: ignore[arg-type]


def test_a_leader_that_beats_is_not_followed_and_one_that_does_not_is(tmp_path: Path) -> None:
    clock = Time(0.0)
    first, second = FileLease(tmp_path, clock), FileLease(tmp_path, clock)
    assert first.acquire()
    for _ in range(4):
        assert not second.acquire()
        assert first.renew()
        clock.at += HUNG - 1
    assert not second.acquire()
    clock.at += HUNG
    assert second.acquire()
    assert (first.fence, second.fence, second.after_hung) == (1, 2, True)
    assert not first.renew()
    assert not first.acquire(), "who was followed leads no more"
