from __future__ import annotations

import pytest
import redis

from deploy.routing.document import RoutingDocument
from deploy.routing.documents_redis import RedisDocuments
from deploy.routing.keys import DeployKeys
from deploy.routing.quick_redis import QuickRedis
from tests.deploy.routing.samples import NOWHERE, document
from understudy.errors import Conflict


def store(url: str) -> RedisDocuments:
    return RedisDocuments(QuickRedis(url), DeployKeys())


def test_a_leader_with_an_older_fence_can_neither_publish_nor_mend(redis_url: str) -> None:
    redis.Redis.from_url(redis_url).set("us:controller:fence", 7)
    with pytest.raises(Conflict, match="another controller leads"):
        store(redis_url).publish(document(1), fence=6)
    assert not store(redis_url).mend(document(1), fence=6)
    assert store(redis_url).read() is None
    assert store(redis_url).publish(document(1), fence=7)


def test_a_server_that_is_away_holds_nothing(redis_url: str) -> None:
    away = store(NOWHERE)
    assert (away.publish(document(1)), away.mend(document(1)), away.read()) == (False, False, None)
    assert away.highest_epoch() == -1


def test_whoever_listens_is_told_the_epoch(redis_url: str) -> None:
    listener = redis.Redis.from_url(redis_url, decode_responses=True).pubsub(ignore_subscribe_messages=True)
    listener.subscribe("us:routing")
    listener.get_message(timeout=5)
    store(redis_url).publish(document(12))
    told = listener.get_message(timeout=60)
    assert told is not None
    assert told["data"] == "12"
    listener.close()


def test_an_epoch_never_goes_back_on_the_server_itself(redis_url: str) -> None:
    assert store(redis_url).publish(document(5))
    assert not store(redis_url).publish(document(4))
    assert not store(redis_url).publish(document(5))
    client = redis.Redis.from_url(redis_url, decode_responses=True)
    assert client.get("us:routing:epoch") == "5"
    assert RoutingDocument.model_validate_json(str(client.get("us:routing"))) == document(5)
