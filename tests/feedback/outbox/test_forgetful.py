"""A Redis that restarts without its last moments: its append-only file is really cut. Nothing acknowledged is lost."""

from __future__ import annotations

from pathlib import Path

import pytest
import redis

from feedback.events import EXCHANGES
from feedback.outbox.outbox import Outbox
from feedback.store.server import RedisServer
from tests.feedback.factory import exchange
from tests.feedback.outbox.conftest import Make, read
from tests.waiting import eventually

KEEP = 0.3
COUNT = 20


def log_of(server: RedisServer) -> Path:
    return server.folder / "appendonly.aof"


def published(server: RedisServer, outbox: Outbox) -> int:
    """Publish COUNT events; returns how long the log was before."""
    redis.Redis.from_url(server.url).set("something", "before")
    before = log_of(server).stat().st_size
    done = outbox.stats()["published"]
    for n in range(COUNT):
        outbox.put(exchange(n))
    eventually(lambda: outbox.stats()["published"] == done + COUNT)
    return before


def cut(server: RedisServer, size: int) -> None:
    """Stop the server as a power loss would, with only the first `size` bytes of its log."""
    server.kill()
    assert log_of(server).stat().st_size > size
    with log_of(server).open("r+b") as log:
        log.truncate(size)


def held(server: RedisServer) -> set[str]:
    return {event.response_id for event in read(server.url)}


@pytest.mark.parametrize("away", [0.0, 3 * KEEP], ids=["back at once", "away for longer than the spool keeps"])
def test_a_redis_without_its_last_moments_gets_them_again(own_redis: RedisServer, make: Make, away: float) -> None:
    outbox = make(own_redis.url, keep_seconds=600)  # whatever time passes until the log is cut
    cut(own_redis, published(own_redis, outbox))
    outbox._producer._keep = KEEP
    if away:
        eventually(lambda: not outbox.stats()["bus_up"])
        outbox._producer._closing.wait(away)
    own_redis.start()
    eventually(lambda: held(own_redis) == {f"resp-{n}" for n in range(COUNT)}, what="sending again")
    eventually(lambda: outbox.stats()["spool_bytes"] == 0)
    assert outbox.stats()["lost"] == 0


def test_a_redis_that_went_back_while_nobody_sent_gets_them_from_the_next_gateway(
    own_redis: RedisServer, make: Make
) -> None:
    first = make(own_redis.url, keep_seconds=600)
    cut(own_redis, published(own_redis, first))
    first.close(60.0)
    own_redis.start()
    next_one = make(own_redis.url, keep_seconds=KEEP)
    eventually(lambda: held(own_redis) == {f"resp-{n}" for n in range(COUNT)}, what="sending again")
    assert next_one.stats()["lost"] == 0


def test_what_is_gone_for_good_is_counted_once(own_redis: RedisServer, make: Make) -> None:
    outbox = make(own_redis.url, keep_seconds=0.0)
    before = published(own_redis, outbox)
    eventually(lambda: outbox.stats()["spool_bytes"] == 0)
    cut(own_redis, before)
    own_redis.start()
    eventually(lambda: outbox.stats()["lost"] == COUNT, what="counting in a quiet partition")
    outbox.put(exchange(COUNT))
    eventually(lambda: held(own_redis) == {f"resp-{COUNT}"})
    outbox.close(60.0)
    again = make(own_redis.url)
    eventually(lambda: again.stats()["bus_up"] and again.stats()["pending"] == 0)
    assert (outbox.stats()["lost"], again.stats()["lost"]) == (COUNT, 0)


def test_nothing_leaves_the_spool_while_the_bus_is_silent(own_redis: RedisServer, make: Make) -> None:
    outbox = make(own_redis.url, keep_seconds=600)
    published(own_redis, outbox)
    own_redis.kill()
    outbox._producer._keep = KEEP
    eventually(lambda: not outbox.stats()["bus_up"])
    outbox._producer._closing.wait(4 * KEEP)
    assert outbox.stats()["spool_bytes"] > 0
    assert len(outbox._spool.batch(EXCHANGES, 0, 0, 99)) + len(outbox._spool.batch(EXCHANGES, 1, 0, 99)) == COUNT


def test_a_replica_that_follows_is_believed_at_once(own_redis: RedisServer, make: Make, tmp_path: Path) -> None:
    outbox = make(own_redis.url, replicas=1, keep_seconds=600)
    published(own_redis, outbox)
    outbox._producer._closing.wait(1.2)
    assert outbox.stats()["spool_bytes"] > 0
    replica = RedisServer(tmp_path / "replica")
    replica.start()
    try:
        redis.Redis.from_url(own_redis.url).config_set("repl-diskless-sync-delay", 0)  # no other will come
        redis.Redis.from_url(replica.url).replicaof("127.0.0.1", own_redis.port)
        eventually(lambda: outbox.stats()["spool_bytes"] == 0, what="believing the replica")
        assert held(replica) == {f"resp-{n}" for n in range(COUNT)}
    finally:
        replica.stop()
