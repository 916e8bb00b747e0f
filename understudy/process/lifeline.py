"""Ties a process to its parent: when the parent dies, however it dies, the kernel ends the child.

Pure standard library; python-prctl was considered and would be a compiled dependency for one call.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)  # here, since a child between fork and exec may load nothing


def die_with_parent(parent: int | None = None, number: signal.Signals = signal.SIGKILL) -> None:
    """Ask the kernel for the signal `number` at the death of the thread that created this process (Linux only).

    With `parent`, end at once if that parent is already gone.

    Raises:
        OSError: the kernel refuses.
    """
    if sys.platform != "linux":
        return
    if _libc.prctl(PR_SET_PDEATHSIG, number, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG) failed")
    if parent is not None and os.getppid() != parent:
        os._exit(1)
