"""The registry of versions: immutable folders with a signed manifest, complete when READY exists.

`VersionStore` is what an engine's agent needs of it. `Registry`, the one implementation, keeps versions in local
folders, numbers, signs and archives them.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol

from pydantic import ValidationError

from deploy.audit.heads import AuditHead
from deploy.audit.log import AuditLog
from deploy.audit.log_file import FileAuditLog
from deploy.registry.manifest import MANIFEST, FileEntry, Kind, Manifest, check_files, describe_files, finite, listed
from deploy.registry.signing import Signer
from understudy.clock import Clock, wall
from understudy.errors import BadRequest, Conflict, IntegrityError, NotFound
from understudy.files import copy_durably, is_ready, mark_ready, read_json, sync_folder, write_atomic
from understudy.process.lock import exclusive
from understudy.state import StateDir

LARGEST_MANIFEST = 16 << 20
"""Bytes; the lineage names every exchange that was trained on."""
COPYING = 1800.0
"""Seconds for which one waits while another process copies a model in."""
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
LETTER: dict[Kind, str] = {"student": "v", "teacher": "t"}


class VersionStore(Protocol):
    """Versions by name; a version never changes once registered."""

    def versions(self) -> list[Manifest]: ...
    def manifest(self, version: str) -> Manifest: ...
    def path(self, version: str) -> Path: ...
    def verify(self, version: str) -> Manifest: ...


class Registry:
    """Versions in `registry/versions/<version>/` of a state directory.

    `trusted` are the ids of keys, beside the state directory's own, whose signatures count.
    """

    def __init__(self, state: StateDir, clock: Clock = wall, trusted: Collection[str] = ()) -> None:
        self._state = state
        self._clock = clock
        self.signer = Signer(state.keys, state.run / "signing.id", trusted)
        self._audit: AuditLog = FileAuditLog(state.audit, clock, self.signer)

    def versions(self) -> list[Manifest]:
        """Manifests of all complete versions, newest first; unreadable ones are left out."""
        found = []
        for folder in self._state.versions.glob("[!.]*"):
            if is_ready(folder):
                try:
                    found.append(_read_manifest(folder))
                except IntegrityError:
                    continue
        return sorted(found, key=lambda m: (m.created, _number(m.version)), reverse=True)

    def names(self) -> frozenset[str]:
        """Names of all complete versions."""
        return frozenset(folder.name for folder in self._state.versions.glob("[!.]*") if is_ready(folder))

    def manifest(self, version: str) -> Manifest:
        """The manifest as it lies there, unchecked.

        Raises:
            NotFound: no complete version of that name.
            IntegrityError: the manifest cannot be read.
        """
        return _read_manifest(self.path(version))

    def path(self, version: str) -> Path:
        """The folder of a complete version.

        Raises:
            NotFound: there is none; the message names those that exist.
        """
        folder = self._state.versions / version
        if not NAME.fullmatch(version) or not is_ready(folder):
            known = ", ".join(sorted(m.version for m in self.versions())) or "none"
            raise NotFound(f"version {version!r} is not registered (there are: {known})", param="version")
        return folder

    def next_version(self, kind: Kind) -> str:
        """The next free name, such as v3; archived versions keep theirs."""
        folders = [*self._state.versions.glob("[!.]*"), *self._archive.glob("[!.]*")]
        letter = LETTER[kind]
        taken = [_number(f.name) for f in folders if re.fullmatch(rf"{letter}\d+", f.name) and is_ready(f)]
        return f"{letter}{max(taken, default=0) + 1}"

    def verify(self, version: str) -> Manifest:
        """Check signature and every file of a version; call it before each load.

        Raises:
            NotFound: no such version.
            IntegrityError: it is not what was registered; the refusal is in the audit log.
        """
        folder = self.path(version)
        try:
            if folder.is_symlink():
                raise IntegrityError(f"{version} is a link; a version is a folder of the registry's own")
            manifest = _read_manifest(folder)
            if manifest.version != version:
                raise IntegrityError(f"{version}/{MANIFEST} describes {manifest.version}; register it anew")
            try:
                self.signer.verify(manifest.signed_bytes(), manifest.key_id, manifest.signature)
            except IntegrityError as error:
                raise IntegrityError(f"{version}/{MANIFEST}: {error.message}") from None
            check_files(folder, manifest)
        except IntegrityError as error:
            self._audit.keep("version.refused", "registry", version=version, why=error.message)
            raise
        return manifest

    def register(
        self,
        folder: Path,
        *,
        kind: Kind,
        parent: str | None,
        teacher: str | None,
        round: int | None,  # noqa: A002
        lineage: dict[str, Any],
        metrics: dict[str, Any],
        version: str | None = None,
        take: bool = False,
    ) -> Manifest:
        """Copy a model folder in, hash and sign it, READY last.

        Doing so again with the same content (same round, or same `version`) returns what is there. With `take` the
        folder itself, which lies on the same disk and is nobody else's, becomes the version's.

        Raises:
            BadRequest: the folder does not exist or is empty.
            Conflict: `version` exists with other content.
        """
        if not folder.is_dir() or not listed(folder):
            raise BadRequest(f"{folder.name} is no folder with a model in it")
        with self._locked():
            files = describe_files(folder)
            same = self._same(files, kind, round, version)
            if same is not None:
                return same
            manifest = self._sign(
                Manifest(
                    version=version or self.next_version(kind), kind=kind, parent=parent, teacher=teacher,
                    round=round, created=self._clock(), files=files, lineage=finite(lineage),
                    metrics=finite(metrics), audit=self._head(),
                )
            )  # fmt: skip
            self._install(folder, manifest, take)
        self._audit.append("version.registered", "registry", version=manifest.version, round=round, parent=parent)
        return manifest

    def _head(self) -> AuditHead | None:
        """Where the audit log stands, vouched for by the signature of the manifest."""
        head = self._audit.head()
        return AuditHead(n=head.entries, hash=head.hash) if head.entries else None

    def archive(self, version: str) -> None:
        """Move a version out of the way: kept, no longer listed or loaded."""
        with self._locked():
            folder = self.path(version)
            self._archive.mkdir(parents=True, exist_ok=True)
            folder.rename(self._archive / version)
        self._audit.append("version.archived", "registry", version=version)

    @property
    def _archive(self) -> Path:
        return _archive_of(self._state)

    def _same(self, files: dict[str, FileEntry], kind: Kind, of: int | None, version: str | None) -> Manifest | None:
        for known in self.versions():
            if version is not None and known.version == version:
                if known.files != files:
                    raise Conflict(f"version {version} is registered with other content; choose another name")
                return known
            again = version is None and of is not None and known.round == of and known.kind == kind
            if again and known.files == files:
                return known
        return None

    def _sign(self, manifest: Manifest) -> Manifest:
        keyed = manifest.model_copy(update={"key_id": self.signer.key_id()})
        return keyed.model_copy(update={"signature": self.signer.sign(keyed.signed_bytes(), keyed.key_id)})

    def _install(self, source: Path, manifest: Manifest, take: bool) -> None:
        target = self._state.versions / manifest.version
        draft = source if take else self._state.versions / f".{manifest.version}"
        for leftover in (self._state.versions / f".{manifest.version}", target):
            shutil.rmtree(leftover, ignore_errors=True)
        if not take:
            for name in manifest.files:
                copy_durably(source / name, draft / name)
        write_atomic(draft / MANIFEST, manifest.model_dump_json(indent=1) + "\n")
        check_files(draft, manifest)
        draft.rename(target)
        sync_folder(self._state.versions)
        mark_ready(target)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        self._state.versions.mkdir(parents=True, exist_ok=True)
        with exclusive(self._state.versions / ".lock", COPYING):
            yield


def _number(version: str) -> int:
    digits = re.sub(r"\D", "", version)
    return int(digits) if digits else 0


def notes_of(state: StateDir, versions: Iterable[str | None]) -> dict[str, str]:
    """What must stand beside every figure of these versions, archived ones too; without those of which nothing must."""
    known = {version: _note(state, version) for version in versions if version is not None}
    return {version: note for version, note in known.items() if note}


def _note(state: StateDir, version: str) -> str:
    if NAME.fullmatch(version):
        for place in (state.versions, _archive_of(state)):
            with suppress(IntegrityError):
                return _read_manifest(place / version).note
    return ""


def _archive_of(state: StateDir) -> Path:
    return state.registry / "archive"


def _read_manifest(folder: Path) -> Manifest:
    try:
        if (folder / MANIFEST).stat().st_size > LARGEST_MANIFEST:
            raise ValueError
        return Manifest.model_validate(read_json(folder / MANIFEST))
    except (OSError, ValueError, ValidationError, RecursionError):
        raise IntegrityError(f"{folder.name}/{MANIFEST} is missing or unreadable; register it anew") from None
