"""One leader: a file lock on the state directory and, while Redis answers, a lease with a fencing number.

The lock is what decides on one machine or one shared volume, and it alone is needed while Redis is away.
The lease keeps a controller of another state directory from writing to the same Redis. Its owner is named
after the state directory, so a restarted controller, which holds the lock, need not wait for the expiry.
"""

from __future__ import annotations

import contextlib
import os
from typing import Any

import redis

from deploy.routing.keys import DeployKeys
from deploy.routing.quick_redis import quick_client
from feedback.store.scripts import source
from understudy.ids import random_id
from understudy.process.lock import take
from understudy.state import StateDir

TTL_MS = 5000

_HOLD = """
local owner = redis.call('GET', KEYS[1])
if owner and owner ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
if ARGV[3] == '0' then return redis.call('INCR', KEYS[2]) end
local fence = tonumber(redis.call('GET', KEYS[2]) or '0')
if fence < tonumber(ARGV[3]) then
  redis.call('SET', KEYS[2], ARGV[3])
  fence = tonumber(ARGV[3])
end
return fence
"""


class Lease:
    """Leadership of one process. `fence` is 0 until Redis has given a number."""

    def __init__(self, state: StateDir, redis_url: str | None, prefix: str = "us:") -> None:
        self._state = state
        self._keys = DeployKeys(prefix)
        self._file: Any = None
        self._owner = ""
        self.fence = 0
        self._redis: Any = None
        if redis_url:
            self._redis = quick_client(redis_url)

    def acquire(self) -> bool:
        """Try to become the leader, at once."""
        if self._file is None and not self._lock():
            return False
        return self.renew()

    def renew(self) -> bool:
        """Prolong the lease; False when somebody else holds it. True while Redis is away: the lock stands."""
        if self._redis is None:
            return True
        keys = (self._keys.lease, self._keys.fence)
        try:
            fence = int(self._redis.eval(_HOLD, 2, *keys, self._owner, TTL_MS, self.fence))
        except (redis.RedisError, OSError):
            return True
        if fence == 0 or (self.fence and fence != self.fence):
            return False
        self.fence = fence
        return True

    def release(self) -> None:
        """Let another one lead."""
        if self._redis is not None and self._owner:
            with contextlib.suppress(redis.RedisError, OSError):  # else it expires by itself
                self._redis.eval(source("release"), 1, self._keys.lease, self._owner)
        if self._file is not None:
            self._file.close()
            self._file = None

    def _lock(self) -> bool:
        self._state.run.mkdir(parents=True, exist_ok=True)
        file = (self._state.run / "controller.lock").open("a+")
        if not take(file, wait=False):
            file.close()
            return False
        file.seek(0)
        self._owner = file.readline().strip() or random_id("controller-")
        file.seek(0)
        file.truncate()
        file.write(f"{self._owner}\n{os.getpid()}\n")
        file.flush()
        self._file = file
        return True
