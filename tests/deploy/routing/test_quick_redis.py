from __future__ import annotations

from deploy.routing.quick_redis import PAUSE, QuickRedis
from feedback.store.server import RedisServer
from tests.deploy.fleet import Time


def test_a_server_that_is_away_is_left_in_peace_for_a_second(own_redis: RedisServer) -> None:
    time = Time()
    redis = QuickRedis(own_redis.url, time)
    assert redis.answers
    own_redis.stop()
    assert redis.call("get", "us:routing") is None
    own_redis.start()
    assert not redis.answers, "it is not asked yet"
    time.at += PAUSE
    assert redis.answers


def test_what_is_no_text_is_nothing_and_the_server_is_not_taken_for_away(redis_url: str) -> None:
    redis = QuickRedis(redis_url)
    redis.call("eval", r"redis.call('SET', KEYS[1], '\255')", 1, "binary")
    assert redis.call("get", "binary") is None
    assert redis.answers
