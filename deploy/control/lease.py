"""One leader: numbered files in the state directory and, while Redis answers, a lease there; one number fences both.

The files are what decides on one machine or one shared volume, and they alone are needed while Redis is away.
The lease keeps a controller of another state directory from writing to the same Redis. Its owner is named
after the state directory, so a restarted controller, which has the next file, need not wait for the expiry.
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
    """Leadership of one process: the files first, then the lease where there is a Redis. For one thread at a time."""

    def __init__(self, state: StateDir, redis_url: str | None, prefix: str = "us:") -> None:
        self._files = FileLease(state.run / "leaders")
        self._redis = RedisLease(redis_url, DeployKeys(prefix), lambda: self._files.owner) if redis_url else None

    @property
    def fence(self) -> int:
        """Number of this leader, higher than those before it; 0 before it leads."""
        return self._files.fence

    @property
    def after_hung(self) -> bool:
        """Whether it follows a leader whose process lives, and holds what it held."""
        return self._files.after_hung

    def acquire(self) -> bool:
        """Try to become the leader, at once."""
        return self._files.acquire() and self.renew()

    def renew(self) -> bool:
        """Prolong the lease; False when somebody else holds it. True while Redis is away: the files stand."""
        if not self._files.renew():
            return False
        if self._redis is None:
            return True
        return self._redis.renew(self._files.fence) and self._files.raise_to(max(self._redis.fence, self._files.fence))

    def release(self) -> None:
        """Let another one lead."""
        if self._redis is not None:
            self._redis.release()
        self._files.release()
