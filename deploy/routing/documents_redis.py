"""The routing document in Redis: its text, its epoch, and a message to whoever listens for a new one."""

from __future__ import annotations

from deploy.routing.document import RoutingDocument
from deploy.routing.documents import DocumentParser
from deploy.routing.keys import DeployKeys
from deploy.routing.quick_redis import QuickRedis
from understudy.errors import Conflict

_PUBLISH = """
local fence = tonumber(redis.call('GET', KEYS[3]) or '0')
if tonumber(ARGV[3]) < fence then return -1 end
local seen = tonumber(redis.call('GET', KEYS[2]) or '-1')
if tonumber(ARGV[1]) <= seen and ARGV[4] ~= 'again' then return 0 end
redis.call('SET', KEYS[1], ARGV[2])
redis.call('SET', KEYS[2], ARGV[1])
redis.call('PUBLISH', KEYS[4], ARGV[1])
return 1
"""


class RedisDocuments:
    """`DocumentStore` on a server that may be away: then nothing is read and nothing is held."""

    def __init__(self, redis: QuickRedis, keys: DeployKeys) -> None:
        self._redis = redis
        self._keys = keys
        self._parser = DocumentParser()

    def read(self) -> RoutingDocument | None:
        """See `DocumentStore`."""
        text = self._redis.call("get", self._keys.document)
        return None if text is None else self._parser.parse(text, "Redis")

    def publish(self, document: RoutingDocument, fence: int = 0) -> bool:
        """See `DocumentStore`."""
        done = self._push(document, fence, "new")
        if done < 0:
            raise Conflict("another controller leads now; this one stops writing")
        return done > 0

    def mend(self, document: RoutingDocument, fence: int = 0) -> bool:
        """See `DocumentStore`; False while away, and where a younger leader writes."""
        held = self.read()
        return (held is not None and held.epoch >= document.epoch) or self._push(document, fence, "again") > 0

    def highest_epoch(self) -> int:
        """By the epoch kept apart and by what can be read."""
        held, told = self.read(), str(self._redis.call("get", self._keys.epoch))
        return max(-1 if held is None else held.epoch, int(told) if told.isdecimal() else -1)

    def _push(self, document: RoutingDocument, fence: int, mode: str) -> int:
        """1 when written, 0 when not (an epoch as high is there, or Redis is away), -1 behind a younger leader."""
        keys = (self._keys.document, self._keys.epoch, self._keys.fence, self._keys.document)
        done = self._redis.call("eval", _PUBLISH, 4, *keys, document.epoch, document.model_dump_json(), fence, mode)
        return 0 if done is None else int(done)
