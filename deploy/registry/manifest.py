"""What a version folder must hold: sizes and hashes of its files, where it comes from, and a signature."""

from __future__ import annotations

import json
import math
from collections.abc import Collection
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from deploy.audit.heads import AuditHead
from understudy.errors import IntegrityError
from understudy.files import READY, sha256_file

MANIFEST = "manifest.json"
OWN = frozenset({MANIFEST, READY})
"""Files of a version folder that the manifest does not list."""

WEIGHTS = ".safetensors"

Kind = Literal["student", "teacher"]


class FileEntry(BaseModel):
    """One file: SHA-256 in hex and size in bytes."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    sha256: str
    size: int


class Manifest(BaseModel):
    """The description of a version; immutable, signed over everything but the signature."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    schema_version: Literal[1] = 1
    version: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")
    kind: Kind
    parent: str | None = None
    """Version whose weights this one started from."""
    teacher: str | None = None
    """Version of the teacher that it was distilled from."""
    round: int | None = None
    created: float
    """Seconds since the epoch."""
    files: dict[str, FileEntry]
    """By path relative to the folder, with `/`."""
    lineage: dict[str, Any] = Field(default_factory=dict)
    metrics: dict[str, Any] = Field(default_factory=dict)
    audit: AuditHead | None = None
    """Where the audit log stood; None in manifests of earlier releases."""
    key_id: str = ""
    signature: str = ""
    """Ed25519, hex, over `signed_bytes`."""

    @property
    def unfit(self) -> bool:
        """Whether it was made without having learned anything yet, such as a cut of the teacher.

        A part of the lineage, not a field: the signatures of former manifests cover every field.
        """
        return self.lineage.get("fitness") == "unfit"

    @property
    def note(self) -> str:
        """What must stand beside every figure of this version; empty for most."""
        return str(self.lineage.get("note", ""))

    def signed_bytes(self) -> bytes:
        """The bytes that the signature covers: canonical JSON of all other fields."""
        body = self.model_dump(mode="json", exclude={"signature"} if self.audit else {"signature", "audit"})
        text = json.dumps(body, sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        return text.encode()


def finite(value: Any) -> Any:
    """`value` with every number that JSON cannot hold replaced by None."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {str(key): finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    return value if isinstance(value, str | int | bool | None) else str(value)


def describe_files(folder: Path) -> dict[str, FileEntry]:
    """Entries of all files below `folder` that a manifest lists.

    Raises:
        IntegrityError: a link or something else that is not a plain file.
    """
    entries = {}
    for path in listed(folder):
        entries[path] = FileEntry(sha256=sha256_file(folder / path), size=(folder / path).stat().st_size)
    return entries


def listed(folder: Path) -> list[str]:
    """Relative paths of the files below `folder`, sorted, without manifest and marker."""
    names = []
    for path in folder.rglob("*"):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            raise IntegrityError(f"{folder.name}/{name} is no plain file; a version holds nothing else")
        if path.is_file() and name not in OWN:
            names.append(name)
    return sorted(names)


def weight_hashes(manifest: Manifest) -> dict[str, str]:
    """SHA-256 of the weights by file name."""
    return {name: entry.sha256 for name, entry in manifest.files.items() if name.endswith(WEIGHTS)}


def check_files(folder: Path, manifest: Manifest, but: Collection[str] = ()) -> None:
    """Compare the folder with its manifest: no file missing, none beside, each with its size and hash.

    Of files that end as in `but` the content is not read.

    Raises:
        IntegrityError: naming the file.
    """
    found = set(listed(folder))
    for name in sorted(found - set(manifest.files)):
        raise IntegrityError(f"{manifest.version}/{name} is not in the manifest; remove it or register anew")
    for name, entry in sorted(manifest.files.items()):
        if name not in found:
            raise IntegrityError(f"{manifest.version}/{name} is missing; restore it or roll back")
        if (folder / name).stat().st_size != entry.size:
            raise IntegrityError(f"{manifest.version}/{name} has another size than its manifest says")
        if not name.endswith(tuple(but)) and sha256_file(folder / name) != entry.sha256:
            raise IntegrityError(f"{manifest.version}/{name} has another SHA-256 than its manifest says")
