"""The keys under which texts are stored, one for each tenant, and the tombstones of tenants that were purged.

A folder of small files, readable by their owner alone and shared by all roles of a state directory. To destroy
a key makes everything unreadable that was sealed under it, wherever copies of it lie; so these files belong in
no backup that holds the texts.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from understudy.files import kept_secret, read_json, sync_folder, write_json
from understudy.ids import stable_id

KEY_BYTES = 32
NEVER = float("-inf")


@dataclass(frozen=True, slots=True)
class TenantKey:
    """A tenant's key; `id` tells it from those that a purge destroyed before it."""

    id: str
    secret: bytes


class TenantKeys:
    """Keys and tombstones in `folder`. What is read is remembered until a file there comes or goes."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.folder = folder
        self._path = os.fspath(folder)
        self._seen = 0
        self._keys: dict[str, TenantKey | None] = {}
        self._tombstones: dict[str, float] = {}

    def key(self, tenant: str) -> TenantKey:
        """The tenant's key; made by whoever asks first."""
        found = self.known(tenant)
        if found is None:
            text = kept_secret(self._key_file(tenant), lambda: _made(tenant))
            found = self._keys[tenant] = _read(text)
        return found

    def known(self, tenant: str) -> TenantKey | None:
        """The tenant's key; None where there is none."""
        return self.standing(tenant)[1]

    def standing(self, tenant: str) -> tuple[float, TenantKey | None]:
        """`purged_until` and `known`, of one moment."""
        self._look()
        until = self._tombstones.get(tenant, NEVER)
        if tenant not in self._keys:
            with contextlib.suppress(FileNotFoundError):
                self._keys[tenant] = _read(self._key_file(tenant).read_text("utf-8"))
        return until, self._keys.get(tenant)

    def purged_until(self, tenant: str) -> float:
        """Up to when (seconds since the epoch) what happened to the tenant is forgotten; -inf: it never was."""
        self._look()
        return self._tombstones.get(tenant, NEVER)

    def tombstones(self) -> Mapping[str, float]:
        """All tenants that were purged, and up to when."""
        self._look()
        return dict(self._tombstones)

    def destroy(self, tenant: str, until: float) -> bool:
        """Bury the tenant up to `until` and destroy its key; whether there was one. Done again it does no harm.

        The tombstone comes first: from then on nobody stores what happened before it, with whatever key.
        """
        until = max(until, self.purged_until(tenant))
        name = f"{stable_id('tenant', tenant)}.tombstone"
        write_json(self.folder / name, {"schema_version": 1, "tenant": tenant, "until": until}, mode=0o600)
        self._touch()
        path = self._key_file(tenant)
        try:
            _overwrite(path)
        except FileNotFoundError:
            return False
        path.unlink()
        sync_folder(self.folder)
        self._touch()
        return True

    def _key_file(self, tenant: str) -> Path:
        return self.folder / f"{stable_id('tenant', tenant)}.key"

    def _touch(self) -> None:
        """A time of change like none before, since the clock of a file system may stand for milliseconds."""
        now = max(time.time_ns(), os.stat(self.folder).st_mtime_ns + 1)
        os.utime(self.folder, ns=(now, now))

    def _look(self) -> None:
        """Forget what was read when a file came or went, so that a purge reaches every process at once."""
        changed = os.stat(self._path).st_mtime_ns
        if changed == self._seen:
            return
        stones = [read_json(path) for path in sorted(self.folder.glob("*.tombstone"))]
        self._tombstones = {str(stone["tenant"]): float(stone["until"]) for stone in stones}
        self._keys = {}
        self._seen = changed


def _made(tenant: str) -> str:
    return json.dumps({"tenant": tenant, "id": secrets.token_hex(4), "key": secrets.token_hex(KEY_BYTES)})


def _read(text: str) -> TenantKey:
    found = json.loads(text)
    return TenantKey(found["id"], bytes.fromhex(found["key"]))


def _overwrite(path: Path) -> None:
    """Zeros in the file's place on the disk, where the file system writes in place."""
    with path.open("r+b") as file:
        file.write(b"\0" * path.stat().st_size)
        file.flush()
        os.fsync(file.fileno())
