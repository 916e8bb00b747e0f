"""A gateway follows the keys of its state directory."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

import pytest

from deploy.engines.keys import own_key
from serving.gateway.access import key_file
from serving.gateway.access.ring import LOOK_SECONDS, NO_RING, KeyRing, RingFollower, read_ring
from serving.gateway.config import ApiKey
from serving.gateway.keys import ANYBODY, ApiKeys, key_hmac
from understudy.errors import IntegrityError, Unauthorized
from understudy.files import write_atomic
from understudy.state import StateDir

SECONDS = 60.0


def knows(keys: ApiKeys, bearer: str) -> bool:
    try:
        keys.tenant(bearer)
    except Unauthorized:
        return False
    return True


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(SECONDS):
        while not holds():
            await asyncio.sleep(0.01)


def test_what_is_made_and_revoked_is_known_without_a_restart(state_dir: StateDir) -> None:
    async def run() -> None:
        keys = ApiKeys("", (), read_ring(state_dir))
        following = asyncio.create_task(RingFollower(state_dir, NO_RING, keys.take).run())
        assert keys.tenant("") == ANYBODY
        _, first = key_file.create(state_dir.clients, "shop", "one")
        await until(lambda: not knows(keys, ""))
        assert keys.tenant(first) == "shop"
        _, second = key_file.create(state_dir.clients, "bank", "two")
        await until(lambda: knows(keys, second))
        key_file.revoke(state_dir.clients, "one")
        await until(lambda: not knows(keys, first))
        assert keys.tenant(second) == "bank"
        key_file.revoke(state_dir.clients, "two")
        await until(lambda: not knows(keys, second))
        assert not knows(keys, "")
        following.cancel()

    asyncio.run(run())


def test_every_follower_of_a_state_directory_knows_what_is_made_and_revoked_and_looks_twice_a_second_or_more(
    state_dir: StateDir,
) -> None:
    async def run() -> None:
        both = [ApiKeys("", (), read_ring(state_dir)) for _ in range(2)]
        each = [RingFollower(StateDir(state_dir.root), NO_RING, keys.take).run() for keys in both]
        following = [asyncio.create_task(one) for one in each]
        _, first = key_file.create(state_dir.clients, "shop", "one")
        _, second = key_file.create(state_dir.clients, "bank", "two")
        await until(lambda: not any(knows(keys, "") for keys in both))
        await until(lambda: all(knows(keys, second) for keys in both))
        assert [(keys.tenant(first), keys.tenant(second)) for keys in both] == [("shop", "bank")] * 2
        key_file.revoke(state_dir.clients, "one")
        await until(lambda: not any(knows(keys, first) for keys in both))
        assert [keys.tenant(second) for keys in both] == ["bank"] * 2
        for task in following:
            task.cancel()

    asyncio.run(run())
    assert LOOK_SECONDS <= 0.5


def test_keys_that_cannot_be_read_leave_the_last_ones_in_force_and_a_lost_file_lets_nobody_in(
    state_dir: StateDir, caplog: pytest.LogCaptureFixture
) -> None:
    async def run() -> None:
        _, key = key_file.create(state_dir.clients, "shop")
        path = key_file.path_of(state_dir.clients)
        kept = path.read_bytes()
        ring = read_ring(state_dir)
        keys = ApiKeys("", (), ring)
        following = asyncio.create_task(RingFollower(state_dir, ring, keys.take).run())
        write_atomic(path, b"{")
        await until(lambda: "not a file of keys" in caplog.text)
        assert knows(keys, key)
        assert not knows(keys, "")
        write_atomic(path, kept)
        key_file.create(state_dir.clients, "shop", "another")
        path.unlink()
        await until(lambda: not knows(keys, key))
        assert not knows(keys, "")
        assert "is gone" in caplog.text
        write_atomic(path, kept)
        await until(lambda: knows(keys, key))
        following.cancel()

    with caplog.at_level(logging.ERROR, "understudy.gateway"):
        asyncio.run(run())
    assert caplog.text.count("not a file of keys") == 1


def test_keys_of_the_configuration_hold_beside_them(state_dir: StateDir) -> None:
    _, key = key_file.create(state_dir.clients, "shop")
    keys = ApiKeys("s3cret", (ApiKey(hmac=key_hmac("s3cret", "sk-1"), tenant="bank"),), read_ring(state_dir))
    assert (keys.tenant(key), keys.tenant("sk-1")) == ("shop", "bank")
    keys.take(KeyRing())
    assert keys.asked
    assert not knows(keys, key)
    assert knows(keys, "sk-1")


def test_what_up_runs_has_a_key_of_its_own_which_asks_nobody_else_for_one(state_dir: StateDir) -> None:
    own = own_key(state_dir)
    keys = ApiKeys("", (), read_ring(state_dir))
    assert not keys.asked
    assert keys.tenant("whatever") == ANYBODY
    key_file.create(state_dir.clients, "shop")
    keys.take(read_ring(state_dir))
    assert keys.tenant(own) == "default"
    assert not knows(keys, own + "x")
    assert own not in repr(read_ring(state_dir))


def test_what_is_no_file_of_keys_is_told(state_dir: StateDir) -> None:
    key_file.create(state_dir.clients, "shop")
    key_file.path_of(state_dir.clients).write_text("[]", "utf-8")
    with pytest.raises(IntegrityError):
        read_ring(state_dir)
