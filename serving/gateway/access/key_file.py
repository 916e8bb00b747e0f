"""The file of clients' keys in a state directory: read whole, changed under a lock, replaced at once."""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import secrets
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from understudy.errors import Conflict, IntegrityError, NotFound, UsageError
from understudy.files import kept_secret, write_atomic
from understudy.process.lock import exclusive

PREFIX = "sk-us-"
"""What every key begins with, so that scanners for secrets know it."""
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:@-]{0,63}")
_ALLOWED = "1 to 64 letters, digits or . _ : @ -, a letter or digit first"
Hex = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class KeyRecord(BaseModel):
    """One key: whose it is, never what it is."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    hmac: Hex
    """HMAC-SHA256 of the key under the secret of the folder."""
    tenant: str
    name: str
    created: datetime
    revoked: datetime | None = None


class KeyFile(BaseModel):
    """All keys that there ever were, in the order of their making."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = 1
    keys: tuple[KeyRecord, ...] = ()


def path_of(folder: Path) -> Path:
    """Where the keys of `folder` lie."""
    return folder / "keys.json"


def read(folder: Path) -> KeyFile | None:
    """What the file says; None where there is none.

    Raises:
        OSError: it cannot be read.
        IntegrityError: it is not such a file.
    """
    path = path_of(folder)
    try:
        return KeyFile.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except ValidationError as error:
        raise IntegrityError(
            f"{path} is not a file of keys ({error.error_count()} faults): put it back from a backup"
        ) from None


def secret_of(folder: Path) -> bytes:
    """The secret under which keys are hashed; made by whoever comes first."""
    return kept_secret(folder / "secret", lambda: secrets.token_hex(32)).encode()


def hashed(secret: bytes, key: str) -> str:
    """HMAC-SHA256 of a key in hex."""
    return hmac.new(secret, key.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()


def create(folder: Path, tenant: str, name: str | None = None) -> tuple[KeyRecord, str]:
    """A new key of `tenant`: its record, and the key itself, which is kept nowhere.

    Raises:
        UsageError: tenant or name holds what none may hold.
        Conflict: a key that is in use is called so already.
    """
    for what, given in (("tenant", tenant), ("name", name)):
        if given is not None and NAME.fullmatch(given) is None:
            raise UsageError(f"the {what} {given!r} cannot be used: {_ALLOWED}")
    key = PREFIX + secrets.token_urlsafe(32)
    identity = "k" + secrets.token_hex(4)

    def add(file: KeyFile) -> tuple[KeyFile, KeyRecord]:
        used = {text for one in file.keys if one.revoked is None for text in (one.id, one.name)}
        if name in used:
            raise Conflict(f"a key in use is called {name} already: choose another name, or revoke that one first")
        record = KeyRecord(
            id=identity, hmac=hashed(secret_of(folder), key), tenant=tenant, name=name or identity, created=_now()
        )
        return KeyFile(keys=(*file.keys, record)), record

    return _change(folder, add), key


def revoke(folder: Path, wanted: str) -> KeyRecord:
    """Let the key whose id or name is `wanted` be used no more; twice is as good as once.

    Raises:
        NotFound: there is none.
    """

    def end(file: KeyFile) -> tuple[KeyFile, KeyRecord]:
        found = [one for one in file.keys if wanted in (one.id, one.name)]
        if not found:
            raise NotFound(f"no key has the id or name {wanted}; `understudy keys list` shows them")
        record = next((one for one in found if one.revoked is None), found[-1])
        if record.revoked is not None:
            return file, record
        ended = record.model_copy(update={"revoked": _now()})
        return KeyFile(keys=tuple(ended if one is record else one for one in file.keys)), ended

    return _change(folder, end)


def _change(folder: Path, change: Callable[[KeyFile], tuple[KeyFile, KeyRecord]]) -> KeyRecord:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with exclusive(folder / "lock"):
        before = read(folder) or KeyFile()
        after, record = change(before)
        if after != before:
            write_atomic(path_of(folder), after.model_dump_json(indent=1) + "\n", mode=0o600)
    return record


def signature(folder: Path) -> tuple[int, int, int] | None:
    """What changes whenever the file is replaced; None where there is none."""
    try:
        found = os.stat(path_of(folder))
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


def _now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)
