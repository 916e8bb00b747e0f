"""Where the routing document lives: every store that there is, the one that counts first (files, then Redis).

A document is written to the first store, which decides, then handed on to the others. A reader asks the last one,
which reaches furthest, and falls back to those before it; it never returns an epoch below the highest it has seen.
"""

from __future__ import annotations

import logging
from typing import Protocol

from pydantic import ValidationError

from deploy.routing.document import RoutingDocument
from understudy.errors import Conflict, IntegrityError, Unavailable

log = logging.getLogger("understudy.routing")


class DocumentStore(Protocol):
    """One place that holds the current routing document. Calls are synchronous and do not wait long."""

    def read(self) -> RoutingDocument | None:
        """The current document; None when there is none, it cannot be read, or the place cannot be reached."""

    def publish(self, document: RoutingDocument, fence: int = 0) -> bool:
        """Make `document` the current one if its epoch is above the one held; whether it is held now.

        Raises:
            Conflict: a leader with a younger fence has taken over.
            Unavailable: the place can be reached but not written.
        """

    def mend(self, document: RoutingDocument, fence: int = 0) -> bool:
        """Write `document` again where less is held, whatever epoch was seen; whether it, or a later one, is held."""

    def highest_epoch(self) -> int:
        """The highest epoch ever held, whether or not it can be read; -1 before the first."""


class RoutingDocuments:
    """Reads and writes of the routing document over `stores`, the one that counts first; at least one."""

    def __init__(self, *stores: DocumentStore) -> None:
        self._stores = stores
        self._newest: RoutingDocument | None = None
        self._parser = DocumentParser()

    def read(self) -> RoutingDocument | None:
        """The newest document known, else the one read last. None before the first."""
        for store in reversed(self._stores):
            found = store.read()
            if found is not None and (self._newest is None or found.epoch >= self._newest.epoch):
                self._newest = found
                break
        return self._newest

    def publish(self, document: RoutingDocument, fence: int = 0) -> None:
        """Make `document` the current one; the controller alone calls this, under its lease.

        Stores but the first may be away: `refresh` hands the document on later.

        Raises:
            Conflict: an equal or higher epoch is there, or a younger leader has taken over.
            IntegrityError: nobody could read it.
            Unavailable: it cannot be written.
        """
        if self._parser.parse(document.model_dump_json(), f"epoch {document.epoch}") is None:
            raise IntegrityError(f"epoch {document.epoch} could not be read back, so the former one stays in force")
        first, *others = self._stores
        if not first.publish(document, fence):
            held = first.read()
            if held is None or held.epoch < document.epoch:
                raise Unavailable(f"epoch {document.epoch} cannot be written yet: its store is away")
            raise Conflict(f"epoch {document.epoch} is not above {held.epoch}: another controller writes")
        for store in others:
            store.publish(document, fence)
        self._newest = document

    def refresh(self, fence: int = 0) -> bool:
        """Bring every store back to the newest document where it lost it; whether all hold it. For the leader alone."""
        known = [document for document in (self._stores[0].read(), self._newest) if document is not None]
        if not known:
            return False
        newest = max(known, key=lambda document: document.epoch)
        held = [store.mend(newest, fence) for store in self._stores]
        return all(held)

    def highest_epoch(self) -> int:
        """The highest epoch that any store has seen, whether or not it can be read; -1 before the first."""
        known = self.read()
        return max(-1 if known is None else known.epoch, *(store.highest_epoch() for store in self._stores))


class DocumentParser:
    """Reads documents from text, and says once of each source what it cannot read."""

    def __init__(self) -> None:
        self._unreadable: set[str] = set()

    def parse(self, text: str | bytes, source: str) -> RoutingDocument | None:
        """The document in `text`; None where that is none."""
        try:
            document = RoutingDocument.model_validate_json(text)
        except ValidationError as error:
            if source not in self._unreadable:
                self._unreadable.add(source)
                first = error.errors(include_input=False)[0]
                where = ".".join(str(part) for part in first["loc"]) or "its text"
                log.error("the routing document of %s cannot be read (%s: %s)", source, where, first["msg"])
            return None
        self._unreadable.discard(source)
        return document
