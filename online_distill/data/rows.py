"""Rows of a round: a pool sample in the part it plays, and how rows lie on disk."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict

from feedback.events import HardSample
from feedback.privacy.vault import Purged, Vault
from understudy.files import write_atomic

RowRole = Literal["hard", "anchor"]
Why = Literal["fresh", "old", "learned", "replay", "kept"]
"""Why a row was drawn: a failure of the live student since the last round; one from before that it still fails; one
that it has learned; an exchange for replay; a row that an earlier round has kept."""


class Row(BaseModel):
    """One sample of a round, as it lies in `rounds/N/select/*.jsonl`. An `anchor` is a general row."""

    TEXT: ClassVar[tuple[str, ...]] = ("messages", "teacher_text", "teacher_tokens", "student_text")
    """Stored under the key of the row's tenant, see `feedback.privacy.vault`."""
    model_config = ConfigDict(frozen=True, extra="ignore")
    schema_version: Literal[1] = 1
    id: str
    exchange: str
    role: RowRole
    kind: str = ""
    lang: str = "en"
    cluster: str = ""
    """What its prompt is like, beside others of the traffic; the gate judges each by itself. Empty: not known."""
    weight: float
    messages: list[dict[str, Any]]
    teacher_text: str
    teacher_tokens: tuple[int, ...] | None = None
    """Its tokens as the teacher gave them; None: not known."""
    student_text: str
    """Of the round's parent; empty where another version wrote it."""
    teacher: str = ""
    """Version that wrote the teacher's text; empty where an earlier release of the product did not write it down."""
    why: Why = "replay"
    tenant: str = "default"
    cut: bool = False
    """Whether the texts end where a limit was, not where their writer did."""
    at: float = 0.0
    """Seconds since the epoch, when the exchange happened."""
    known: bool = False
    """Whether the round's parent gives the teacher's text, token for token: its own targets serve then."""
    judged: bool = False
    """Whether an earlier round was judged on it: later ones prefer it, so that versions far apart share their rows."""

    @classmethod
    def of(cls, sample: HardSample, role: RowRole, *, parent: str, cluster: str = "", why: Why = "replay") -> Row:
        """A pool sample in the part it plays; an anchor always weighs 1.

        Only a hard row has student text, and only where the parent wrote it.
        """
        return cls(
            id=sample.id,
            exchange=sample.exchange,
            role=role,
            kind=sample.kinds[0] if sample.kinds else "",
            lang=sample.lang,
            weight=sample.weight if role == "hard" else 1.0,
            messages=sample.messages,
            teacher_text=sample.teacher_text,
            teacher_tokens=sample.teacher_tokens,
            student_text=sample.student_text if role == "hard" and sample.student == parent else "",
            teacher=sample.teacher,
            cluster=cluster,
            why=why,
            tenant=sample.tenant,
            cut=sample.cut,
            at=sample.at,
        )

    def as_anchor(self, why: Why) -> Row:
        """The same exchange for replay: weight 1, the teacher's text alone."""
        return self.model_copy(update={"role": "anchor", "why": why, "weight": 1.0, "student_text": ""})


def write_rows(path: Path, rows: Iterable[Row], vault: Vault | None = None) -> None:
    """JSON lines, whole or not at all; sealed where there is a vault."""
    write_atomic(path, b"".join(line + b"\n" for line in lines_of(rows, vault)))


def read_rows(path: Path, vault: Vault | None = None) -> list[Row]:
    """The rows of a JSON lines file, without those of a tenant that was purged since."""
    return list(rows_of(path.read_bytes().split(b"\n"), vault))


def lines_of(rows: Iterable[Row], vault: Vault | None) -> Iterator[bytes]:
    """Each row as a line of a file; a row that was purged meanwhile is left out."""
    for row in rows:
        with contextlib.suppress(Purged):
            yield vault.seal(row) if vault else row.model_dump_json().encode()


def rows_of(lines: Iterable[bytes], vault: Vault | None) -> Iterator[Row]:
    """What `lines_of` gave, less what was purged since."""
    for line in filter(None, lines):
        with contextlib.suppress(Purged):
            yield vault.open(Row, line) if vault else Row.model_validate_json(line)
