"""Texts of events as they are stored: sealed under a key of their tenant, which a purge destroys.

`seal` and `open` are the two places where a text of a client goes to, and comes from, anything that outlives the
process: spool, bus, Redis, rounds. What says how the system works (arm, version, seconds) stays readable; the
fields that a model names in `TEXT` go into one field `sealed`. Each sealed text has a key of its own, derived
from the tenant's by 128 random bits (the construction of XAES-256-GCM, C2SP), so that no number of texts
wears a tenant's key out.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
from pathlib import Path
from typing import Any, ClassVar, Protocol, TypeVar

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from pydantic import BaseModel

from feedback.privacy.keyring import TenantKey, TenantKeys
from understudy.errors import UnderstudyError

SALT = 16
NONCE = bytes(12)
"""One key seals one text, so one nonce will do."""
FOLDER = "tenants"
"""Beside the spools of a state directory."""


class Purged(UnderstudyError):
    """The text was of a tenant and time that were purged; nobody can read it, and nothing is to be done with it."""

    status, kind, code = 404, "invalid_request_error", "purged"


class Sealed(UnderstudyError):
    """The text cannot be opened although its tenant was not purged: its key is not here, or it was changed."""

    status, kind, code = 503, "service_unavailable_error", "sealed"


class Textual(Protocol):
    """What can be sealed: a pydantic model of something that happened to a tenant."""

    TEXT: ClassVar[tuple[str, ...]]
    """Fields that hold what people wrote; all others say how the system worked."""

    @property
    def id(self) -> str: ...
    @property
    def tenant(self) -> str: ...
    @property
    def at(self) -> float: ...


T = TypeVar("T", bound=BaseModel)


class Vault:
    """Seals and opens with the keys in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.keys = TenantKeys(folder)

    def seal(self, event: Textual) -> bytes:
        """The event as JSON, its texts sealed.

        Raises:
            Purged: it happened before its tenant was purged.
        """
        assert isinstance(event, BaseModel)
        if not event.TEXT:
            _refuse(event.tenant, event.at, self.keys.purged_until(event.tenant))
            return event.model_dump_json(exclude_none=True).encode()
        key, texts = self._standing(event.tenant, event.at), set(event.TEXT)
        clear = event.model_dump_json(exclude_none=True, exclude=texts).encode()
        hidden = event.model_dump_json(exclude_none=True, include=texts).encode()
        identity, body = self._encrypt(event.tenant, key, event.id, hidden)
        return clear[:-1] + f',"sealed":"{identity}.'.encode() + base64.b64encode(body) + b'"}'

    def open(self, kind: type[T], raw: bytes | str) -> T:
        """The event of what `seal` gave, or of JSON that was never sealed.

        Raises:
            Purged: its tenant was purged since.
            Sealed: its key is not here, or somebody changed it.
            ValueError: it is no such event.
        """
        return kind.model_validate(self.fields(raw))

    def fields(self, raw: bytes | str) -> dict[str, Any]:
        """The JSON object of an event with its texts in their places; raises as `open` does."""
        fields = _object(raw)
        tenant, at = str(fields.get("tenant", "default")), fields.get("at")
        _refuse(tenant, at, self.keys.purged_until(tenant))
        sealed = fields.pop("sealed", None)
        if sealed is None:
            return fields
        identity, _, text = str(sealed).partition(".")
        try:
            body = base64.b64decode(text, validate=True)
        except binascii.Error:
            raise _changed(str(fields.get("id"))) from None
        return fields | _object(self._decrypt(tenant, str(fields.get("id")), identity, body))

    def seal_bytes(self, tenant: str, at: float, name: str, raw: bytes) -> bytes:
        """Bytes that were made of a text of `tenant` at `at` (seconds since the epoch), under their name.

        Raises:
            Purged: the text was before its tenant was purged.
        """
        identity, body = self._encrypt(tenant, self._standing(tenant, at), name, raw)
        return f"{identity}.".encode() + body

    def open_bytes(self, tenant: str, at: float, name: str, sealed: bytes) -> bytes:
        """What `seal_bytes` was given; raises as `open` does."""
        _refuse(tenant, at, self.keys.purged_until(tenant))
        identity, _, body = sealed.partition(b".")
        return self._decrypt(tenant, name, identity.decode("ascii", "replace"), body)

    def salted(self, tenant: str, text: str) -> str:
        """96 bits in hex that tell whether two texts of a tenant are the same, to whoever has its key alone."""
        secret = self.keys.key(tenant).secret
        return hashlib.blake2b(text.encode(), digest_size=12, key=secret, person=b"salted").hexdigest()

    def _standing(self, tenant: str, at: Any) -> TenantKey | None:
        """The tenant's key, where it has one, at a moment when what happened at `at` was not forgotten."""
        until, key = self.keys.standing(tenant)
        _refuse(tenant, at, until)
        return key

    def _encrypt(self, tenant: str, known: TenantKey | None, name: str, text: bytes) -> tuple[str, bytes]:
        """(id of the key, what it made of the text)."""
        key = known or self.keys.key(tenant)
        salt = os.urandom(SALT)
        return key.id, salt + _cipher(key.secret, salt).encrypt(NONCE, text, name.encode())

    def _decrypt(self, tenant: str, name: str, identity: str, raw: bytes) -> bytes:
        key = self.keys.known(tenant)
        if key is None or key.id != identity:
            if tenant in self.keys.tombstones():
                raise Purged(f"the key of the tenant {tenant} was destroyed by a purge")
            raise Sealed(f"the key {identity} of the tenant {tenant} is not in {self.keys.folder}; is it shared?")
        try:
            return _cipher(key.secret, raw[:SALT]).decrypt(NONCE, raw[SALT:], name.encode())
        except InvalidTag:
            raise _changed(name) from None


def _refuse(tenant: str, at: Any, until: float) -> None:
    if isinstance(at, int | float) and at <= until:
        raise Purged(f"the tenant {tenant} was purged after this happened")


def _changed(name: str) -> Sealed:
    return Sealed(f"the text of {name} is not what was sealed")


def _object(raw: bytes | str) -> dict[str, Any]:
    try:
        return msgspec.json.decode(raw, type=dict[str, Any])
    except msgspec.DecodeError as error:
        raise ValueError(f"not a JSON object: {error}") from None


def _cipher(secret: bytes, salt: bytes) -> AESGCM:
    return AESGCM(hashlib.blake2b(salt, digest_size=32, key=secret).digest())
