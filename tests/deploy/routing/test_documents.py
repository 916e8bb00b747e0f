"""Files and Redis together: files count first, readers ask Redis first, nobody goes back."""

from __future__ import annotations

import pytest
import redis

from deploy.routing.documents import RoutingDocuments
from deploy.routing.stores import open_routing
from feedback.store.server import RedisServer
from tests.deploy.routing.samples import NOWHERE, document
from understudy.errors import Conflict, IntegrityError, Unavailable
from understudy.state import StateDir


def documents(state: StateDir | None, url: str | None) -> RoutingDocuments:
    return open_routing(state, url).documents


def test_what_is_published_is_read_by_others_from_redis_alone(state_dir: StateDir, redis_url: str) -> None:
    documents(state_dir, redis_url).publish(document(3))
    assert documents(None, redis_url).read() == document(3)


def test_without_redis_the_file_is_read(state_dir: StateDir) -> None:
    documents(state_dir, NOWHERE).publish(document(3))
    assert documents(state_dir, NOWHERE).read() == document(3)


def test_a_reader_never_goes_back(state_dir: StateDir, redis_url: str) -> None:
    writer, reader = documents(state_dir, redis_url), documents(None, redis_url)
    writer.publish(document(5))
    assert reader.read() is not None
    redis.Redis.from_url(redis_url).set("us:routing", document(4).model_dump_json())
    assert reader.read() == document(5)
    redis.Redis.from_url(redis_url).set("us:routing", "rubbish")
    assert reader.read() == document(5)


def test_a_later_file_counts_where_redis_went_back(state_dir: StateDir, redis_url: str) -> None:
    writer, reader = documents(state_dir, redis_url), documents(state_dir, redis_url)
    writer.publish(document(5))
    assert reader.read() == document(5)
    redis.Redis.from_url(redis_url).set("us:routing", document(4).model_dump_json())
    documents(state_dir, None).publish(document(6))
    assert reader.read() == document(6)


@pytest.mark.parametrize("epoch", [4, 5])
def test_an_epoch_that_is_not_higher_is_refused(state_dir: StateDir, redis_url: str, epoch: int) -> None:
    documents(state_dir, redis_url).publish(document(5))
    with pytest.raises(Conflict, match="not above 5"):
        documents(state_dir, redis_url).publish(document(epoch))


def test_where_the_one_store_is_away_nothing_is_published() -> None:
    with pytest.raises(Unavailable, match="epoch 1 cannot be written yet"):
        documents(None, NOWHERE).publish(document(1))


def test_redis_gets_the_document_again_after_it_lost_it(state_dir: StateDir, own_redis: RedisServer) -> None:
    store = documents(state_dir, own_redis.url)
    store.publish(document(9))
    redis.Redis.from_url(own_redis.url).flushall()
    assert documents(None, own_redis.url).read() is None
    assert store.refresh()
    assert documents(None, own_redis.url).read() == document(9)


def test_redis_gets_the_document_later_that_it_missed(state_dir: StateDir, redis_url: str) -> None:
    documents(state_dir, NOWHERE).publish(document(5))
    assert not documents(state_dir, NOWHERE).refresh()
    assert documents(state_dir, redis_url).refresh()
    assert documents(None, redis_url).read() == document(5)


def test_the_last_document_stays_while_redis_is_away(own_redis: RedisServer) -> None:
    reader = documents(None, own_redis.url)
    reader.publish(document(2))
    own_redis.stop()
    assert reader.read() == document(2)


def test_a_document_that_is_no_text_leaves_the_last_one(state_dir: StateDir, redis_url: str) -> None:
    store = documents(state_dir, redis_url)
    store.publish(document(5))
    redis.Redis.from_url(redis_url).set("us:routing", b"\xff")
    (state_dir.routing / "current.json").write_bytes(b"\xff\xfe")
    assert store.read() == document(5)
    assert store.refresh()
    assert documents(None, redis_url).read() == document(5)
    assert (state_dir.routing / "current.json").read_text() == document(5).model_dump_json()


def test_every_epoch_that_a_store_has_seen_counts(state_dir: StateDir, redis_url: str) -> None:
    store = documents(state_dir, redis_url)
    assert store.highest_epoch() == -1
    store.publish(document(3))
    assert store.highest_epoch() == 3
    (state_dir.routing / "epoch-5.json").write_text("")
    assert store.highest_epoch() == 5
    redis.Redis.from_url(redis_url).set("us:routing:epoch", 7)
    assert store.highest_epoch() == 7


def test_what_could_not_be_read_back_is_not_published(state_dir: StateDir) -> None:
    store = documents(state_dir, None)
    store.publish(document(1))
    broken = document(2).model_copy(update={"candidate_share": float("nan")})
    with pytest.raises(IntegrityError, match="epoch 2 could not be read back"):
        store.publish(broken)
    assert documents(state_dir, None).read() == document(1)


def test_before_the_first_document_there_is_nothing_to_refresh(state_dir: StateDir) -> None:
    assert not documents(state_dir, None).refresh()
