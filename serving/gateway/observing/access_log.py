"""A line of JSON on every completion request: what it was, what became of it, what it took. No word of anybody."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import msgspec

from serving.gateway.observing.ledger import Finished

MOST_BYTES = 64 << 20
"""Size beyond which the file becomes the former one, of which there is one."""


class AccessLog:
    """A sink of the ledger over one file, which it alone writes."""

    def __init__(self, path: Path, most: int = MOST_BYTES) -> None:
        self._path = path
        self._most = most

    def __call__(self, records: Sequence[Finished]) -> None:
        """Append the lines of `records`.

        Raises:
            OSError: they could not be written.
        """
        self._path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        with open(descriptor, "ab") as file:
            file.write(b"".join(map(line, records)))
            size = file.tell()
        if size > self._most:
            os.replace(self._path, self._path.with_name(f"{self._path.name}.1"))


def line(record: Finished) -> bytes:
    """One record with its end; seconds to the microsecond, what is not known is left out."""
    told = {
        "at": round(record.at, 3), "request": record.request, "path": record.path, "status": record.status,
        "outcome": record.outcome, "tenant": record.tenant, "seconds": round(record.seconds, 6),
        "bytes_in": record.bytes_in,
    }  # fmt: skip
    if record.arm:
        told |= {"arm": record.arm, "version": record.version, "model": record.model, "stream": record.stream,
                 "fell_back": record.fell_back}  # fmt: skip
    known = {
        "ttft": None if record.ttft is None else round(record.ttft, 6), "prompt_tokens": record.prompt_tokens,
        "completion_tokens": record.completion_tokens,
        "trace": None if record.trace is None else f"{record.trace.trace:032x}",
    }  # fmt: skip
    told |= {name: value for name, value in known.items() if value is not None}
    return msgspec.json.encode(told) + b"\n"
