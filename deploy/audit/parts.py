"""The files of an audit log: `audit.jsonl`, which grows, and former parts `audit.jsonl.N`, N the last entry's number.

The chain goes on from part to part, so all are needed to check it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from deploy.audit.chain import ChainEntry, parse
from understudy.errors import IntegrityError
from understudy.files import sync_folder

DIGITS = 12


def former_parts(path: Path) -> list[Path]:
    """Parts that are full, oldest first."""
    stem = f"{path.name}."
    found = [part for part in path.parent.glob(f"{path.name}.*") if part.name.removeprefix(stem).isdecimal()]
    return sorted(found, key=lambda part: int(part.name.removeprefix(stem)))


def close_part(path: Path, last: int) -> None:
    """Make the growing file a former part, which ends with entry `last`; for whoever holds its lock."""
    os.rename(path, path.with_name(f"{path.name}.{last:0{DIGITS}d}"))
    sync_folder(path.parent)


def read_all(path: Path) -> Iterator[ChainEntry]:
    """Every entry of every part, oldest first; none where there is no file.

    Raises:
        IntegrityError: a line is no entry.
    """
    number = 0
    with ExitStack() as stack:
        files = []
        while True:  # until no part was closed while they were opened
            parts = former_parts(path)
            files = [stack.enter_context(part.open("rb")) for part in (*parts, path) if part.exists()]
            if parts == former_parts(path):
                break
        for file in files:
            for raw in file:
                number += 1
                entry = parse(raw)
                if entry is None:
                    raise IntegrityError(f"{path.name} line {number} is not an audit entry")
                yield entry
