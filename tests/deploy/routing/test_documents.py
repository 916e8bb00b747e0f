from __future__ import annotations

import pytest

from deploy.routing.document import Heartbeat, RoutingDocument
from deploy.routing.documents import EXPIRY, RoutingStore
from feedback.store.server import RedisServer
from tests.deploy.fleet import Time
from understudy.errors import Conflict, IntegrityError
from understudy.state import StateDir

NOWHERE = "redis://127.0.0.1:1/0"


def document(epoch: int) -> RoutingDocument:
    return RoutingDocument(epoch=epoch, stable="v1", reason="测试")


def beat(slot: str = "student-a") -> Heartbeat:
    return Heartbeat.model_validate({"slot": slot, "url": "http://127.0.0.1:8101", "model": "m", "state": "serving"})


def test_what_is_published_is_read_by_others_from_redis_alone(state_dir: StateDir, redis_url: str) -> None:
    RoutingStore(state_dir, redis_url).publish(document(3))
    elsewhere = RoutingStore(None, redis_url)
    found = elsewhere.read()
    assert found is not None
    assert (found.epoch, found.reason) == (3, "测试")


def test_without_redis_the_file_is_read(state_dir: StateDir) -> None:
    RoutingStore(state_dir, NOWHERE).publish(document(3))
    found = RoutingStore(state_dir, NOWHERE).read()
    assert found is not None
    assert found.epoch == 3


def test_before_the_first_document_there_is_none(state_dir: StateDir, redis_url: str) -> None:
    assert RoutingStore(state_dir, redis_url).read() is None


def test_a_reader_never_goes_back(state_dir: StateDir, redis_url: str) -> None:
    import redis

    writer, reader = RoutingStore(state_dir, redis_url), RoutingStore(None, redis_url)
    writer.publish(document(5))
    assert reader.read() is not None
    redis.Redis.from_url(redis_url).set("us:routing", document(4).model_dump_json())
    found = reader.read()
    assert found is not None
    assert found.epoch == 5
    redis.Redis.from_url(redis_url).set("us:routing", "rubbish")
    assert reader.read() == found


@pytest.mark.parametrize("epoch", [4, 5])
def test_an_epoch_that_is_not_higher_is_refused(state_dir: StateDir, redis_url: str, epoch: int) -> None:
    RoutingStore(state_dir, redis_url).publish(document(5))
    with pytest.raises(Conflict, match="not above 5"):
        RoutingStore(state_dir, redis_url).publish(document(epoch))


def test_a_leader_with_an_older_fence_cannot_publish(redis_url: str) -> None:
    import redis

    redis.Redis.from_url(redis_url).set("us:controller:fence", 7)
    with pytest.raises(Conflict, match="another controller leads"):
        RoutingStore(None, redis_url).publish(document(1), fence=6)
    RoutingStore(None, redis_url).publish(document(1), fence=7)
    found = RoutingStore(None, redis_url).read()
    assert found is not None


def test_redis_gets_the_document_again_after_it_lost_it(state_dir: StateDir, own_redis: RedisServer) -> None:
    import redis

    store = RoutingStore(state_dir, own_redis.url)
    store.publish(document(9))
    redis.Redis.from_url(own_redis.url).flushall()
    assert RoutingStore(None, own_redis.url).read() is None
    assert store.refresh()
    found = RoutingStore(None, own_redis.url).read()
    assert found is not None
    assert found.epoch == 9


def test_the_last_document_stays_while_redis_is_away(own_redis: RedisServer) -> None:
    reader = RoutingStore(None, own_redis.url)
    reader.publish(document(2))
    own_redis.stop()
    found = reader.read()
    assert found is not None
    assert found.epoch == 2
    assert not reader.sees_all


@pytest.mark.parametrize("with_redis", [True, False])
def test_beats_count_for_five_seconds(state_dir: StateDir, redis_url: str, with_redis: bool) -> None:
    time = Time()
    store = RoutingStore(state_dir, redis_url if with_redis else NOWHERE, clock=time)
    store.beat(beat())
    store.gateway_beat("g1", 4, "http://127.0.0.1:8000")
    assert store.heartbeats()["student-a"].at == time.at
    assert [(g["id"], g["epoch"]) for g in store.gateways()] == [("g1", 4)]
    if not with_redis:
        time.at += EXPIRY + 1
        assert store.heartbeats() == {}
        assert store.gateways() == []


def test_beats_reach_a_controller_on_another_machine(state_dir: StateDir, redis_url: str) -> None:
    RoutingStore(None, redis_url).beat(beat("student-b"))
    RoutingStore(None, redis_url).gateway_beat("g9", 1, "")
    elsewhere = RoutingStore(state_dir, redis_url)
    assert list(elsewhere.heartbeats()) == ["student-b"]
    assert [g["id"] for g in elsewhere.gateways()] == ["g9"]
    elsewhere.forget_gateway("g9")
    assert elsewhere.gateways() == []


def test_a_half_written_beat_is_left_out(state_dir: StateDir) -> None:
    store = RoutingStore(state_dir, None)
    store.beat(beat())
    (state_dir.run / "slots" / "teacher.json").write_text('{"at": 99999999999, "slot"')
    assert list(store.heartbeats()) == ["student-a"]


def test_a_document_that_is_no_text_leaves_the_last_one(state_dir: StateDir, redis_url: str) -> None:
    import redis

    client = redis.Redis.from_url(redis_url)
    store = RoutingStore(state_dir, redis_url)
    store.publish(document(5))
    client.set("us:routing", b"\xff")
    (state_dir.routing / "current.json").write_bytes(b"\xff\xfe")
    assert store.read() == document(5)
    assert store.sees_all


def test_an_unreadable_current_document_gives_way_to_the_newest_epoch_and_is_mended(
    state_dir: StateDir, caplog: pytest.LogCaptureFixture
) -> None:
    for epoch in (9, 10, 11):
        RoutingStore(state_dir, None).publish(document(epoch))
    (state_dir.routing / "current.json").write_text('{"x')
    (state_dir.routing / "epoch-11.json").write_text("")
    store = RoutingStore(state_dir, None)
    assert [store.read(), store.read()] == [document(10), document(10)]
    assert caplog.text.count("the routing document of current.json cannot be read") == 1
    assert store.highest_epoch() == 11
    store.refresh()
    assert (state_dir.routing / "current.json").read_text() == document(10).model_dump_json()


def test_every_epoch_that_somebody_has_seen_counts(state_dir: StateDir, redis_url: str) -> None:
    import redis

    store = RoutingStore(state_dir, redis_url)
    assert store.highest_epoch() == -1
    store.publish(document(3))
    assert store.highest_epoch() == 3
    (state_dir.routing / "epoch-5.json").write_text("")
    assert store.highest_epoch() == 5
    redis.Redis.from_url(redis_url).set("us:routing:epoch", 7)
    assert store.highest_epoch() == 7
    store.gateway_beat("g1", 9, "")
    assert store.highest_epoch() == 9


def test_what_could_not_be_read_back_is_not_published(state_dir: StateDir) -> None:
    store = RoutingStore(state_dir, None)
    store.publish(document(1))
    broken = document(2).model_copy(update={"candidate_share": float("nan")})
    with pytest.raises(IntegrityError, match="epoch 2 could not be read back"):
        store.publish(broken)
    assert RoutingStore(state_dir, None).read() == document(1)


def test_redis_gets_the_document_again_where_it_holds_no_text(state_dir: StateDir, redis_url: str) -> None:
    import redis

    store = RoutingStore(state_dir, redis_url)
    store.publish(document(5))
    redis.Redis.from_url(redis_url).set("us:routing", b"\xff")
    assert store.refresh()
    assert RoutingStore(None, redis_url).read() == document(5)


@pytest.mark.parametrize("ahead", [EXPIRY + 1, 3600])
def test_a_beat_from_the_future_counts_for_nothing(state_dir: StateDir, ahead: float) -> None:
    time = Time()
    store = RoutingStore(state_dir, None, clock=time)
    store.beat(beat())
    store.gateway_beat("g1", 4, "")
    time.at -= ahead
    assert store.heartbeats() == {}
    assert store.gateways() == []


@pytest.mark.parametrize("rubbish", [b"rubbish", b"\xff", b'{"at": "now"}', b'{"id": "g2", "at": 1}'])
def test_a_beat_that_is_none_is_left_out(state_dir: StateDir, redis_url: str, rubbish: bytes) -> None:
    import redis

    client = redis.Redis.from_url(redis_url)
    store = RoutingStore(None, redis_url)
    store.beat(beat())
    store.gateway_beat("g1", 4, "")
    client.set("us:slot:teacher", rubbish)
    client.sadd("us:gateways", "g2")
    client.set("us:gateway:g2", rubbish)
    assert "teacher" not in store.heartbeats()
    assert "g2" not in [gateway["id"] for gateway in store.gateways()]
