"""What every lease promises; a further one is one more entry of `PLACES`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from deploy.control.lease import Lease, LeaseStore
from deploy.control.lease_file import FileLease
from deploy.control.lease_redis import RedisLease
from deploy.routing.keys import DeployKeys
from understudy.state import StateDir

Open = Callable[[str], LeaseStore]
"""A candidate of the given name for the same leadership."""


def files(request: pytest.FixtureRequest) -> Open:
    folder: Path = request.getfixturevalue("tmp_path")
    return lambda name: FileLease(folder / "controller.lock")


def server(request: pytest.FixtureRequest) -> Open:
    url: str = request.getfixturevalue("redis_url")
    return lambda name: RedisLease(url, DeployKeys(), lambda: name)


def both(request: pytest.FixtureRequest) -> Open:
    folder: Path = request.getfixturevalue("tmp_path")
    url: str = request.getfixturevalue("redis_url")
    return lambda name: Lease(StateDir(folder / name), url)


PLACES: dict[str, Callable[[pytest.FixtureRequest], Open]] = {"files": files, "redis": server, "both": both}


@pytest.fixture(params=PLACES)
def candidate(request: pytest.FixtureRequest) -> Open:
    return PLACES[request.param](request)


def test_only_one_leads_and_goes_on_leading(candidate: Open) -> None:
    first, second = candidate("a"), candidate("b")
    assert first.acquire()
    assert not second.acquire()
    assert first.renew()
    assert first.acquire(), "who leads already may ask again"


def test_another_one_leads_once_it_was_released(candidate: Open) -> None:
    first, second = candidate("a"), candidate("b")
    first.acquire()
    first.release()
    assert second.acquire()
    first.release()
    assert second.renew(), "a former leader releases nothing of its successor's"
