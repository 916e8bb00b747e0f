"""Kill -9 of producer, consumer and Redis: nothing lost, nothing applied twice, order kept."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from feedback.store.server import RedisServer
from tests.feedback.child import expect_each_once, make_consumer
from tests.waiting import eventually

ROOT = Path(__file__).resolve().parents[2]
FULL = os.environ.get("UNDERSTUDY_FULL") == "1"
EVENTS = 20_000 if FULL else 1500
KILLS = 15 if FULL else 2
LIMIT = 800 if FULL else 120

pytestmark = pytest.mark.timeout(1000 if FULL else 180)


class Children:
    """Processes of `child.py`, killed at the end."""

    def __init__(self) -> None:
        self.started: list[subprocess.Popen[str]] = []

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "tests.feedback.child", *arguments]
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        self.started.append(process)
        return process


@pytest.fixture
def children() -> Iterator[Children]:
    made = Children()
    yield made
    for process in made.started:
        process.kill()
        process.communicate()


def produce_with_kills(children: Children, url: str, folder: Path, chance: random.Random) -> None:
    """Produce 1..EVENTS; kill the producer KILLS times in the middle, each time going on after what it said."""
    done = 0
    for attempt in range(KILLS + 1):
        child = children.start("produce", url, str(folder), f"[{done + 1}, {EVENTS}]")
        assert child.stdout
        stop_at = done + chance.randrange(1, max(2, (EVENTS - done) // 2)) if attempt < KILLS else EVENTS
        for line in child.stdout:
            done = int(line)
            if done >= stop_at and attempt < KILLS:
                child.kill()
                break
        rest = child.stdout.read().split()
        done = int(rest[-1]) if rest else done
        child.wait(LIMIT)


def test_a_killed_producer_loses_nothing_it_said_was_stored(children: Children, redis_url: str, tmp_path: Path) -> None:
    produce_with_kills(children, redis_url, tmp_path, random.Random(7))
    consumer = make_consumer(redis_url)
    end = time.monotonic() + LIMIT
    client = redis.Redis.from_url(redis_url, decode_responses=True)
    while client.hlen("seen") < EVENTS and time.monotonic() < end:
        consumer.step()
    seen = client.hgetall("seen")
    # What was on its way to disk when the kill came was not said to be stored, and its owner sends it again.
    assert set(seen) == {f"e{n}" for n in range(1, EVENTS + 1)}
    again = sum(int(n) - 1 for n in seen.values())
    assert again <= KILLS * 64


def test_a_killed_consumer_applies_each_event_once(children: Children, redis_url: str, tmp_path: Path) -> None:
    producer = children.start("produce", redis_url, str(tmp_path), f"[1, {EVENTS}]")
    client = redis.Redis.from_url(redis_url, decode_responses=True)
    chance = random.Random(11)
    for _ in range(KILLS):
        before = client.hlen("seen")
        child = children.start("consume", redis_url)
        some = min(EVENTS - 1, before + chance.randrange(1, EVENTS // (KILLS + 1)))
        eventually(lambda some=some: client.hlen("seen") >= some, 60)  # type: ignore[misc]
        child.kill()
        child.wait()
    children.start("consume", redis_url)
    eventually(lambda: client.hlen("seen") == EVENTS, LIMIT)
    assert producer.wait(LIMIT) == 0
    expect_each_once(redis_url, EVENTS)


def test_a_killed_redis_forgets_nothing_for_good(children: Children, own_redis: RedisServer, tmp_path: Path) -> None:
    producer = children.start("produce", own_redis.url, str(tmp_path), f"[1, {EVENTS}]")
    children.start("consume", own_redis.url)
    client = redis.Redis.from_url(own_redis.url, decode_responses=True)
    for part in range(1, KILLS + 1):
        some = part * EVENTS // (KILLS + 2)
        eventually(lambda some=some: client.hlen("seen") >= some, 60)  # type: ignore[misc]
        own_redis.kill()
        time.sleep(0.3)
        own_redis.start()
    eventually(lambda: client.hlen("seen") == EVENTS, LIMIT)
    assert producer.wait(LIMIT) == 0
    expect_each_once(own_redis.url, EVENTS)


@pytest.mark.kafka
def test_kafka_events_sent_twice_are_applied_once(redis_url: str, kafka_servers: str) -> None:
    from feedback.bus.config import BusConfig
    from feedback.bus.opening import open_bus
    from feedback.bus.protocol import Numbered
    from feedback.store.config import RedisConfig
    from tests.feedback.child import event
    from understudy.ids import random_id

    url, topic = f"kafka://{kafka_servers}", f"t-{random_id()[:8]}"
    bus = open_bus(BusConfig(url=url), RedisConfig())
    batch = [Numbered(n, "会话", event(n).model_dump_json().encode()) for n in range(1, 31)]
    bus.publish(topic, 0, "spool", batch[:20])
    bus.publish(topic, 0, "spool", batch[10:])
    bus.close()
    consumer = make_consumer(redis_url, url, (topic,))
    eventually(lambda: consumer.step() >= 0 and redis.Redis.from_url(redis_url).hlen("seen") == 30)
    expect_each_once(redis_url, 30)
    restarted = make_consumer(redis_url, url, (topic,))
    consumer.release()
    assert [restarted.step() for _ in range(3)] == [0, 0, 0]
