"""Letters are listed, shown whole and put back once, on both kinds of bus."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from feedback.bus.config import BusConfig
from feedback.bus.opening import open_bus
from feedback.bus.protocol import Bus, Numbered, partition_of
from feedback.dead.box import DeadLetters, topic_named
from feedback.events import EXCHANGES, KPIS, VERDICTS
from feedback.letters import letters
from feedback.store.config import RedisConfig
from feedback.store.connection import connect
from tests.feedback.child import event, make_consumer
from understudy.errors import BadRequest, NotFound
from understudy.ids import random_id


@pytest.fixture(params=["redis", pytest.param("kafka", marks=pytest.mark.kafka)])
def bus_url(request: pytest.FixtureRequest, redis_url: str) -> str:
    if request.param == "kafka":
        return f"kafka://{request.getfixturevalue('kafka_servers')}"
    return redis_url


@pytest.fixture
def topic() -> str:
    """A topic of the test's own, so that a Kafka that other tests use is empty too."""
    return f"{KPIS}.{random_id()[:8]}"


@pytest.fixture
def bus(bus_url: str) -> Iterator[Bus]:
    made = open_bus(BusConfig(url=bus_url), RedisConfig())
    yield made
    made.close()


@pytest.fixture
def box(bus: Bus, redis_url: str) -> DeadLetters:
    return DeadLetters(bus, connect(redis_url))


def post(bus: Bus, topic: str, number: int, value: bytes = b"", limit: int = 1 << 20, without: int = 0) -> str:
    """Put a letter on the bus as the outbox does, `without` a part; its id."""
    content = value or event(number).model_dump_json().encode()
    made = letters(topic, "会话", content, "Redis refused it", spool="gateway", number=number, limit=limit)
    kept = [message for part, message in enumerate(made, 1) if part != without]
    batch = [Numbered(n, "会话", message) for n, message in enumerate(kept, 1)]
    bus.publish(f"{topic}.dlt", 1, f"spool of {number}", batch)
    return str(json.loads(made[0])["letter"])


def test_a_letter_put_back_has_its_effects_once_however_often_it_is_put_back(
    bus: Bus, box: DeadLetters, redis_url: str, bus_url: str, topic: str
) -> None:
    post(bus, topic, 1)
    post(bus, topic, 2, b" " * 9000 + event(2).model_dump_json().encode(), limit=6000)
    assert [(found.letter.number, found.state) for found in box.listed(topic)] == [(1, "waiting"), (2, "waiting")]
    assert len(box.replay(topic).done) == 2
    client = connect(redis_url)
    client.delete("us:bus:replayed")  # as if the one who put them back had been killed before it said so
    assert len(box.replay(topic).done) == 2
    assert len(box.replay(topic).before) == 2
    consumer = make_consumer(redis_url, bus_url, (topic,))
    for _ in range(100):
        consumer.step()
        if client.hlen("seen") == 2 and sum(bus.lag(topic, p, position(redis_url, topic, p)) for p in range(2)) == 0:
            break
    assert client.hgetall("seen") == {b"e1": b"1", b"e2": b"1"}
    assert {found.state for found in box.listed(topic)} == {"replayed"}
    consumer.release()


def position(redis_url: str, topic: str, part: int) -> str:
    return (connect(redis_url).hget("us:bus:cursors", f"{topic}:{part}") or b"").decode()


def test_a_letter_is_shown_with_its_bytes_and_by_the_beginning_of_its_id(
    bus: Bus, box: DeadLetters, topic: str
) -> None:
    content = bytes(range(256)) * 40
    identity = post(bus, topic, 1, content, limit=6000)
    post(bus, topic, 2)
    assert box.show(topic, identity[:12]).content == content
    with pytest.raises(NotFound, match="no letter begins"):
        box.show(topic, "nothing")
    with pytest.raises(NotFound, match="2 letters begin"):
        box.show(topic, "")


def test_a_letter_that_lacks_a_part_is_not_put_back_and_says_why(bus: Bus, box: DeadLetters, topic: str) -> None:
    broken = post(bus, topic, 1, b"x" * 5000, limit=6000, without=2)
    whole = post(bus, topic, 2)
    assert [found.state for found in box.listed(topic)] == ["incomplete", "waiting"]
    with pytest.raises(BadRequest, match="lacks part 2"):
        box.show(topic, broken)
    done = box.replay(topic)
    assert done.done == [whole]
    assert "lacks part 2" in done.failed[broken]


def test_only_those_named_are_put_back_and_nothing_where_one_is_unknown(bus: Bus, box: DeadLetters, topic: str) -> None:
    made = [post(bus, topic, number) for number in (1, 2, 3)]
    with pytest.raises(NotFound):
        box.replay(topic, [made[0], "unknown"])
    assert {found.state for found in box.listed(topic)} == {"waiting"}
    assert box.replay(topic, [made[1][:16]]).done == [made[1]]


def test_a_letter_goes_back_to_the_partition_of_its_session(bus: Bus, box: DeadLetters, topic: str) -> None:
    post(bus, topic, 1)
    assert len(box.replay(topic).done) == 1
    part = partition_of("会话", 2)
    assert [bus.lag(topic, part, ""), bus.lag(topic, 1 - part, "")] == [1, 0]


def test_topics_are_found_by_their_short_names() -> None:
    assert topic_named("exchanges") == topic_named(f"{EXCHANGES}.dlt") == EXCHANGES
    assert topic_named("verdicts.dlt") == VERDICTS
    with pytest.raises(NotFound, match=r"understudy\.kpis"):
        topic_named("orders")
