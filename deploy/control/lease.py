"""One leader: a file lock on the state directory and, while Redis answers, a lease with a fencing number.

The lock is what decides on one machine or one shared volume, and it alone is needed while Redis is away.
The lease keeps a controller of another state directory from writing to the same Redis. Its owner is named
after the state directory, so a restarted controller, which holds the lock, need not wait for the expiry.
"""

from __future__ import annotations

from typing import Protocol

from deploy.control.lease_file import FileLease
from deploy.control.lease_redis import RedisLease
from deploy.routing.keys import DeployKeys
from understudy.state import StateDir


class LeaseStore(Protocol):
    """One place where at most one owner leads at a time."""

    def acquire(self) -> bool:
        """Try to become the leader, at once."""

    def renew(self) -> bool:
        """Prolong the lease; False when somebody else holds it."""

    def release(self) -> None:
        """Let another one lead."""


class Lease:
    """Leadership of one process: the lock first, then the lease where there is a Redis."""

    def __init__(self, state: StateDir, redis_url: str | None, prefix: str = "us:") -> None:
        self._lock = FileLease(state.run / "controller.lock")
        self._redis = RedisLease(redis_url, DeployKeys(prefix), lambda: self._lock.owner) if redis_url else None

    @property
    def fence(self) -> int:
        """Number of this leader, higher than those before it; 0 until Redis has given one."""
        return 0 if self._redis is None else self._redis.fence

    def acquire(self) -> bool:
        """Try to become the leader, at once."""
        return self._lock.acquire() and self.renew()

    def renew(self) -> bool:
        """Prolong the lease; False when somebody else holds it. True while Redis is away: the lock stands."""
        return self._redis is None or self._redis.renew()

    def release(self) -> None:
        """Let another one lead."""
        if self._redis is not None:
            self._redis.release()
        self._lock.release()
