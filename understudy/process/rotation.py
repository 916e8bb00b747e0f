"""Logs of processes that run for months, kept short while they are written.

The writers hold their file open and append (`O_APPEND`), so it is copied and emptied under their hands, as
`logrotate` does with `copytruncate`: renamed, it would grow on under its new name. What is written in the microseconds
between the copy's end and the cut is lost, which is why nothing that must be kept is a log.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import logging
import os
import shutil
from pathlib import Path
from typing import BinaryIO

log = logging.getLogger("understudy.logs")

LOG_BYTES = 8 << 20
"""Size beyond which a log becomes the former one."""
SECONDS = 5.0
"""Between two looks at all logs."""
FORMER = ".1"
"""Ending of the former log, of which there is one; what was there before it goes."""


def shorten(path: Path, limit: int = LOG_BYTES) -> bool:
    """Make what `path` holds its former log and empty it, if it is larger than `limit` bytes; whether it did.

    Where there is no room for the copy the log is emptied without: a full disk is no reason to fill it further.
    Several processes may do it at once.
    """
    try:
        file = path.open("r+b")
    except FileNotFoundError:
        return False
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        if os.fstat(file.fileno()).st_size <= limit:
            return False
        former = path.with_name(path.name + FORMER)
        try:
            _copy(file, former)
        except OSError as error:
            former.unlink(missing_ok=True)
            log.warning("%s is emptied without a copy: %s", path, error)
        file.truncate(0)
    return True


def shorten_all(folder: Path, limit: int = LOG_BYTES) -> int:
    """`shorten` for every `*.log` of `folder`; how many were."""
    done = 0
    for path in folder.glob("*.log"):
        with contextlib.suppress(OSError):
            done += shorten(path, limit)
    return done


async def keep_short(folder: Path, limit: int = LOG_BYTES, seconds: float = SECONDS) -> None:
    """`shorten_all` every `seconds` until cancelled."""
    while True:
        await asyncio.to_thread(shorten_all, folder, limit)
        await asyncio.sleep(seconds)


def _copy(file: BinaryIO, former: Path) -> None:
    former.unlink(missing_ok=True)
    with former.open("xb") as copy:
        os.fchmod(copy.fileno(), os.fstat(file.fileno()).st_mode & 0o777)
        shutil.copyfileobj(file, copy, 1 << 20)
