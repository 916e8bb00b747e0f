"""A process to kill: `lease_holder.py KIND FOLDER NAME URL` leads, says so on its output, and holds on for ever."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from deploy.control.lease import Lease, LeaseStore
from deploy.control.lease_file import FileLease
from deploy.control.lease_redis import RedisLease
from deploy.routing.keys import DeployKeys
from understudy.state import StateDir


def candidate(kind: str, folder: Path, name: str, url: str) -> LeaseStore:
    """A candidate called `name` for the leadership at that place."""
    if kind == "files":
        return FileLease(folder / "leaders")
    if kind == "redis":
        return RedisLease(url, DeployKeys(), lambda: name)
    return Lease(StateDir(folder / name), url)


if __name__ == "__main__":
    lease = candidate(sys.argv[1], Path(sys.argv[2]), sys.argv[3], sys.argv[4])
    print("leads" if lease.acquire() else "refused", flush=True)
    time.sleep(3600)
