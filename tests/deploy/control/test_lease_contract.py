"""What every lease promises; a further one is one more entry of `KINDS`, made by `lease_holder.candidate`."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis

from deploy.control.lease import LeaseStore
from deploy.routing.keys import DeployKeys
from tests.deploy.control.lease_holder import TTL_MS
from tests.deploy.control.lease_holder import candidate as made
from tests.waiting import LONG, eventually

KINDS = ("files", "redis", "both")
HOLDER = "tests.deploy.control.lease_holder"


class Place:
    """One leadership: `candidate` of this process, `holder` a leader in a process of its own, killed at the end."""

    def __init__(self, kind: str, folder: Path, url: str) -> None:
        self._kind = kind
        self._folder = folder
        self._url = url

    def candidate(self, name: str) -> LeaseStore:
        return made(self._kind, self._folder, name, self._url)

    @contextmanager
    def holder(self, name: str) -> Iterator[Callable[[], None]]:
        """Its value kills the leader by SIGKILL."""
        command = [sys.executable, "-m", HOLDER, self._kind, str(self._folder), name, self._url]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

        def kill() -> None:
            process.kill()
            process.wait(LONG)

        assert process.stdout is not None
        try:
            assert process.stdout.readline() == "leads\n"
            yield kill
        finally:
            kill()
            process.stdout.close()

    def lapse(self) -> None:
        """Bring the expiry of what is held on a server forward, instead of waiting for it."""
        if self._kind != "files":
            client = redis.Redis.from_url(self._url)
            assert 0 < client.pttl(DeployKeys().lease) <= TTL_MS, "it expires by itself"
            client.pexpire(DeployKeys().lease, 1)


@pytest.fixture(params=KINDS)
def place(request: pytest.FixtureRequest, tmp_path: Path, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> Place:
    monkeypatch.setattr("deploy.control.lease_redis.TTL_MS", TTL_MS)
    return Place(request.param, tmp_path, redis_url)


def test_only_one_leads_and_goes_on_leading(place: Place) -> None:
    first, second = place.candidate("a"), place.candidate("b")
    assert first.acquire()
    assert not second.acquire()
    assert first.renew()
    assert first.acquire(), "who leads already may ask again"


def test_another_one_leads_once_it_was_released(place: Place) -> None:
    first, second = place.candidate("a"), place.candidate("b")
    first.acquire()
    first.release()
    assert second.acquire()
    first.release()
    assert second.renew(), "a former leader releases nothing of its successor's"


def test_another_one_takes_over_from_a_leader_that_was_killed(place: Place) -> None:
    second = place.candidate("b")
    with place.holder("a") as kill:
        assert not second.acquire()
        kill()
        place.lapse()
        eventually(second.acquire, 60, "a successor, once the lease of the dead has expired,")
    assert second.renew()
    assert not place.candidate("c").acquire()


def test_a_killed_leader_that_comes_back_need_not_wait(place: Place) -> None:
    with place.holder("a") as kill:
        kill()
        assert place.candidate("a").acquire()
