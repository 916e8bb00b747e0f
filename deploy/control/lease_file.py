"""Leadership by files, one for each leader, called by its number: made exclusively, and the highest number leads.

Its leader keeps the file locked, which the kernel undoes when the leader dies, and counts its beats in it. A file that
is not locked is followed at once; one that is locked yet beats no more belongs to a leader that hangs, and is followed
when it has not changed for `HUNG` seconds by the clock of whoever waits. No clocks are compared.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from understudy.clock import Clock, boottime
from understudy.files import sync_folder
from understudy.ids import random_id
from understudy.process.lock import take

HUNG = 5.0
"""Seconds without a beat after which a leader counts as hung."""
KEPT = 3
"""Leaders whose files are kept."""


class FileLease:
    """`LeaseStore` in `folder`; a file names the owner, which stays the same over restarts, and its process id.

    `fence` is this leader's number, 0 before it leads; `after_hung` whether it follows one that lives and hangs.
    """

    def __init__(self, folder: Path, clock: Clock = boottime) -> None:
        self.owner = ""
        self.fence = 0
        self.after_hung = False
        self._folder = folder
        self._clock = clock
        self._file: int | None = None
        self._beats = 0
        self._seen: tuple[int, bytes] | None = None
        self._since = 0.0

    def acquire(self) -> bool:
        """See `LeaseStore`."""
        if self._file is not None:
            return self.renew()
        self._folder.mkdir(parents=True, exist_ok=True)
        number = self._newest()
        if number == 0:
            return self._follow(0, random_id("controller-"))
        former = self._open(number)
        if former is None:
            return False
        try:
            text = os.pread(former, 200, 0)
            self.after_hung = not take(former, wait=False)
            if self.after_hung and not self._hangs(number, text):
                return False
            return self._follow(number, text.decode(errors="replace").split("\n")[0] or random_id("controller-"))
        finally:
            os.close(former)

    def renew(self) -> bool:
        """Beat; False where another one follows."""
        if self._file is None or self._newest() != self.fence:
            return False
        self._beats += 1
        with contextlib.suppress(OSError):  # whoever waits sees no beat then, and what it does is right
            os.pwrite(self._file, self._text(), 0)
        return True

    def raise_to(self, number: int) -> bool:
        """Lead under a higher number, one that another place gave; False where that is taken."""
        if self._file is None or number <= self.fence:
            return self._file is not None and number == self.fence
        try:
            os.link(self._path(self.fence), self._path(number))
        except OSError:
            return False
        sync_folder(self._folder)
        self.fence = number
        return True

    def release(self) -> None:
        """See `LeaseStore`."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _follow(self, former: int, owner: str) -> bool:
        """Make the next number ours; False where somebody else did."""
        self.owner = owner
        draft = self._folder / f".{random_id()}"
        file = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            take(file, wait=False)
            os.pwrite(file, self._text(), 0)
            os.fsync(file)
            os.link(draft, self._path(former + 1))
        except FileExistsError:
            os.close(file)
            return False
        except BaseException:
            os.close(file)
            raise
        finally:
            draft.unlink(missing_ok=True)
        sync_folder(self._folder)
        self._file, self.fence = file, former + 1
        for number in self._numbers()[:-KEPT]:
            self._path(number).unlink(missing_ok=True)
        return True

    def _hangs(self, number: int, text: bytes) -> bool:
        now = self._clock()
        if self._seen != (number, text):
            self._seen, self._since = (number, text), now
        return now - self._since >= HUNG

    def _text(self) -> bytes:
        return f"{self.owner}\n{os.getpid()}\n{self._beats:020d}\n".encode()

    def _open(self, number: int) -> int | None:
        try:
            return os.open(self._path(number), os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return None

    def _newest(self) -> int:
        return max(self._numbers(), default=0)

    def _numbers(self) -> list[int]:
        with contextlib.suppress(FileNotFoundError):
            return sorted(int(name) for name in os.listdir(self._folder) if name.isdecimal())
        return []

    def _path(self, number: int) -> Path:
        return self._folder / str(number)
