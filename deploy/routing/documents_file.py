"""The routing document as files: `current.json`, and `epoch-N.json` for each that was published."""

from __future__ import annotations

import errno
import logging
from pathlib import Path

from deploy.routing.document import RoutingDocument
from deploy.routing.documents import DocumentParser
from understudy.errors import Unavailable
from understudy.files import write_atomic, write_new

log = logging.getLogger("understudy.routing")
KEPT = 1000
"""Former documents kept."""


class FileDocuments:
    """`DocumentStore` in a folder. The file of an epoch is made once: of two leaders one gets it, the other a Conflict.

    What a replaced leader makes of `current.json` afterwards is passed over, since a file of a later epoch is there.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._current = folder / "current.json"
        self._parser = DocumentParser()

    def read(self) -> RoutingDocument | None:
        """`current.json`, else the newest `epoch-N.json` that can be read."""
        found = self._load(self._current)
        if found is not None and not self._path(found.epoch + 1).exists():
            return found
        former = (self._load(self._path(epoch)) for epoch in self._epochs())
        return next((document for document in former if document is not None), None)

    def publish(self, document: RoutingDocument, fence: int = 0) -> bool:
        """See `DocumentStore`; the file of its epoch comes first."""
        held = self.read()
        if held is not None and held.epoch >= document.epoch:
            return False
        text = document.model_dump_json()
        try:
            if not write_new(self._path(document.epoch), text):
                if self._load(self._path(document.epoch)) is None:
                    raise FileExistsError(errno.EEXIST, f"{self._path(document.epoch).name} is no document")
                return False
            write_atomic(self._current, text)
            self._path(document.epoch - KEPT).unlink(missing_ok=True)
        except OSError as error:
            why = f"epoch {document.epoch} cannot be written yet, so gateways stay at the former one"
            raise Unavailable(f"{why}: {error.strerror}") from error
        return True

    def mend(self, document: RoutingDocument, fence: int = 0) -> bool:
        """Write `current.json` again where it holds less than `document`."""
        held = self._load(self._current)
        if held is not None and held.epoch >= document.epoch:
            return True
        try:
            write_atomic(self._current, document.model_dump_json())
        except OSError as error:
            log.error("%s cannot be written: %s", self._current.name, error.strerror)
            return False
        log.warning("%s holds epoch %d again", self._current.name, document.epoch)
        return True

    def highest_epoch(self) -> int:
        """By the names of files and by what can be read."""
        held = self.read()
        return max(-1 if held is None else held.epoch, *self._epochs(), -1)

    def _path(self, epoch: int) -> Path:
        return self._folder / f"epoch-{epoch}.json"

    def _epochs(self) -> list[int]:
        """Epochs that files are named after, highest first."""
        names = [file.stem.removeprefix("epoch-") for file in self._folder.glob("epoch-*.json")]
        return sorted((int(name) for name in names if name.isdecimal()), reverse=True)

    def _load(self, path: Path) -> RoutingDocument | None:
        try:
            return self._parser.parse(path.read_bytes(), path.name)
        except OSError:
            return None
