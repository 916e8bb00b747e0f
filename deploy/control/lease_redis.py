"""Leadership by a key in Redis that expires, with a fencing number that rises with every leader."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import redis

from deploy.routing.keys import DeployKeys
from deploy.routing.quick_redis import quick_client
from feedback.store.scripts import source

TTL_MS = 5000

_HOLD = """
local owner = redis.call('GET', KEYS[1])
if owner and owner ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
local fence = tonumber(redis.call('GET', KEYS[2]) or '0')
if ARGV[3] == '0' then
  fence = math.max(fence + 1, tonumber(ARGV[4]))
  redis.call('SET', KEYS[2], fence)
  return fence
end
if fence < tonumber(ARGV[3]) then
  redis.call('SET', KEYS[2], ARGV[3])
  fence = tonumber(ARGV[3])
end
return fence
"""


class RedisLease:
    """`LeaseStore` on a server; while it is away nobody is refused. `fence` is 0 until it has given a number."""

    def __init__(self, url: str, keys: DeployKeys, owner: Callable[[], str]) -> None:
        self.fence = 0
        self._redis = quick_client(url)
        self._keys = keys
        self._owner = owner

    def acquire(self) -> bool:
        """See `LeaseStore`."""
        return self.renew()

    def renew(self, least: int = 0) -> bool:
        """See `LeaseStore`; True while Redis is away. The first number that it gives is `least` or above."""
        keys = (self._keys.lease, self._keys.fence)
        try:
            fence = int(self._redis.eval(_HOLD, 2, *keys, self._owner(), TTL_MS, self.fence, least))
        except (redis.RedisError, OSError):
            return True
        if fence == 0 or (self.fence and fence != self.fence):
            return False
        self.fence = fence
        return True

    def release(self) -> None:
        """See `LeaseStore`."""
        if self._owner():
            with contextlib.suppress(redis.RedisError, OSError):  # else it expires by itself
                self._redis.eval(source("release"), 1, self._keys.lease, self._owner())
