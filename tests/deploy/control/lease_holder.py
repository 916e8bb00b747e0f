"""A process to kill: `lease_holder.py KIND FOLDER NAME URL` leads, says so on its output, and holds on for ever."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from deploy.control import lease_redis
from deploy.control.lease import Lease, LeaseStore
from deploy.control.lease_file import FileLease
from deploy.control.lease_redis import RedisLease
from deploy.routing import quick_redis
from deploy.routing.keys import DeployKeys
from understudy.state import StateDir

TTL_MS = 60_000
"""How long a lease of the tests holds: on a busy machine a test takes its time."""


def candidate(kind: str, folder: Path, name: str, url: str) -> LeaseStore:
    """A candidate called `name` for the leadership at that place."""
    if kind == "files":
        return FileLease(folder / "leaders")
    if kind == "redis":
        return RedisLease(url, DeployKeys(), lambda: name)
    return Lease(StateDir(folder / name), url)


if __name__ == "__main__":
    lease_redis.TTL_MS, quick_redis.TIMEOUT = TTL_MS, 20.0
    lease = candidate(sys.argv[1], Path(sys.argv[2]), sys.argv[3], sys.argv[4])
    print("leads" if lease.acquire() else "refused", flush=True)
    time.sleep(3600)
