"""What everybody relies on who records or reads what happened."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

from deploy.audit.chain import ChainEntry, ChainHead, Deed


class AuditLog(Protocol):
    """A chain of entries that only grows; safe from several threads and processes at once.

    `append` is for what may wait until it can be recorded. `keep` is for what must happen in any case, such as a
    rollback: the entry waits in memory, and in the process's own log, until the audit log can be written again.
    """

    @property
    def trouble(self) -> str:
        """Why entries are kept back; empty while there are none."""

    def append(self, action: str, actor: str, **details: Any) -> ChainEntry:
        """Record that `actor` did `action`, after what is kept back; durable on return. Returns the entry.

        Raises:
            Unavailable: it cannot be written.
            IntegrityError: what the log holds last cannot be followed.
            BadRequest: the entry is too long.
        """

    def keep(self, action: str, actor: str, **details: Any) -> None:
        """Like `append`, or later where that fails: see `settle`."""

    def keep_again(self, deed: Deed) -> None:
        """`keep` of a deed that may be in the log already, by its id: then nothing is written."""

    def check_open(self) -> None:
        """Write what is kept back, and make sure that an entry could follow now.

        Raises:
            Unavailable, IntegrityError: see `append`.
        """

    def head(self) -> ChainHead:
        """Number and hash of the last entry; (0, START) where there is none, or it cannot be read now."""

    def settle(self) -> bool:
        """Write what is kept back; whether nothing is left."""

    def entries(self, after: int = 0) -> Iterator[ChainEntry]:
        """Entries whose number is above `after`, oldest first."""

    def verify(self) -> ChainHead:
        """Check every entry; (0, START) for a log that was never written.

        Raises:
            IntegrityError: naming the first one that does not fit.
        """
