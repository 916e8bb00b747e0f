"""Yielding the CPU to serving, where Linux groups processes by session.

With `sched_autogroup_enabled` (the default of many kernels) a process's nice value counts only within its
session, and every role is a session of its own; the session's weight has to be set as well.
"""

from __future__ import annotations

import os
from pathlib import Path

AUTOGROUP = Path("/proc/self/autogroup")


def yield_cpu(nice: int) -> None:
    """Give this process and its session at least the nice value `nice` (0 to 19); never raises priority."""
    wanted = max(nice, os.getpriority(os.PRIO_PROCESS, 0))
    os.setpriority(os.PRIO_PROCESS, 0, wanted)
    if os.getsid(0) != os.getpid():
        return  # the session belongs to somebody else, such as a user's shell
    try:
        AUTOGROUP.write_text(str(wanted))
    except OSError:
        return  # a kernel without autogroups, or one that refuses a second change within 100 ms
