"""What every store of routing documents promises; a further one is one more entry of `PLACES`."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import redis

from deploy.routing.documents import DocumentStore
from deploy.routing.documents_file import FileDocuments
from deploy.routing.documents_redis import RedisDocuments
from deploy.routing.keys import DeployKeys
from deploy.routing.quick_redis import QuickRedis
from tests.deploy.routing.samples import document
from understudy.state import StateDir


class Files:
    """`open` gives a further user of the same place; `spoil` leaves something that is no document."""

    def __init__(self, request: pytest.FixtureRequest) -> None:
        state: StateDir = request.getfixturevalue("state_dir")
        self._folder = state.routing

    def open(self) -> DocumentStore:
        return FileDocuments(self._folder)

    def spoil(self, rubbish: bytes) -> None:
        for file in self._folder.glob("*.json"):
            file.write_bytes(rubbish)

    def lose(self) -> None:
        (self._folder / "current.json").unlink()


class Redis:
    """As `Files`, on a server."""

    def __init__(self, request: pytest.FixtureRequest) -> None:
        self._url: str = request.getfixturevalue("redis_url")
        self._client = redis.Redis.from_url(self._url)

    def open(self) -> DocumentStore:
        return RedisDocuments(QuickRedis(self._url), DeployKeys())

    def spoil(self, rubbish: bytes) -> None:
        self._client.set("us:routing", rubbish)

    def lose(self) -> None:
        self._client.flushall()


PLACES: dict[str, Callable[[pytest.FixtureRequest], Files | Redis]] = {"files": Files, "redis": Redis}
Place = Files | Redis


@pytest.fixture(params=PLACES)
def place(request: pytest.FixtureRequest) -> Place:
    return PLACES[request.param](request)


def test_before_the_first_document_there_is_none(place: Place) -> None:
    assert (place.open().read(), place.open().highest_epoch()) == (None, -1)


def test_what_is_published_is_read_by_another_user(place: Place) -> None:
    assert place.open().publish(document(3))
    assert place.open().read() == document(3)
    assert place.open().highest_epoch() == 3


@pytest.mark.parametrize("epoch", [4, 5])
def test_an_epoch_that_is_not_higher_changes_nothing(place: Place, epoch: int) -> None:
    assert place.open().publish(document(5))
    assert not place.open().publish(document(epoch).model_copy(update={"reason": "another"}))
    assert place.open().read() == document(5)


@pytest.mark.parametrize("rubbish", [b"", b"rubbish", b"\xff\xfe", b'{"epoch": -3}'])
def test_what_is_no_document_is_not_read_but_its_epoch_counts(place: Place, rubbish: bytes) -> None:
    place.open().publish(document(5))
    place.spoil(rubbish)
    assert place.open().read() is None
    assert place.open().highest_epoch() == 5


@pytest.mark.parametrize("harm", ["lost", "spoilt"])
def test_what_was_lost_or_spoilt_is_mended_and_a_later_document_is_left(place: Place, harm: str) -> None:
    store = place.open()
    store.publish(document(5))
    place.lose() if harm == "lost" else place.spoil(b"\xff")
    assert store.mend(document(5))
    assert place.open().read() == document(5)
    assert store.mend(document(4))
    assert place.open().read() == document(5)
