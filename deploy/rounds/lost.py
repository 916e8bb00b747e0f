"""Replies that a candidate lost: examples for whoever reads about a round, kept in its folder.

Sealed as the rows beside them, so that a purge of their tenant forgets them, too.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict

from feedback.privacy.vault import Purged, Sealed, Vault
from understudy.files import write_atomic

LOST = "lost.jsonl"
"""In the folder of a round's stage `evaluate`."""


class LostReply(BaseModel):
    """A held-out prompt whose reply the parent had right and the candidate has not; texts are redacted."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    TEXT: ClassVar[tuple[str, ...]] = ("asked", "teacher", "candidate")
    schema_version: Literal[1] = 1
    id: str
    """Of the row."""
    slice: Literal["hard", "general"]
    kind: str = ""
    """Cluster of the prompt, or its language."""
    tenant: str = "default"
    at: float = 0.0
    """Seconds since the epoch, when it was asked."""
    asked: str
    """What the user said last."""
    teacher: str
    """Its reply, as far as it is judged; the parent's, too, where `exact`."""
    candidate: str
    """What the candidate would say at each of its tokens."""
    exact: bool
    """Whether an exact reply was lost; else only facts were."""
    facts: bool
    """Whether facts were lost."""


def write_lost(path: Path, lost: Iterable[LostReply], vault: Vault | None = None) -> None:
    """JSON lines, whole or not at all; sealed where there is a vault, and without what was purged meanwhile."""
    lines = []
    for one in lost:
        with suppress(Purged):
            lines.append(vault.seal(one) if vault else one.model_dump_json().encode())
    write_atomic(path, b"".join(line + b"\n" for line in lines))


def read_lost(path: Path, vault: Vault | None = None) -> list[LostReply]:
    """What can be read of a file: nothing where there is none, as of rounds of former releases, or it is damaged."""
    try:
        lines = path.read_bytes().split(b"\n")
    except OSError:
        return []
    found = []
    for line in filter(None, lines):
        with suppress(Purged, Sealed, ValueError):
            found.append(vault.open(LostReply, line) if vault else LostReply.model_validate_json(line))
    return found
