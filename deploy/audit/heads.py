"""The head of an audit log, signed: what a routing document or a manifest carries so that a shorter log shows."""

from __future__ import annotations

from typing import Protocol

from pydantic import BaseModel, ConfigDict


class AuditHead(BaseModel):
    """The number of an entry and its hash; the signature, in hex, is over `signed_bytes`."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    n: int
    hash: str
    key_id: str = ""
    signature: str = ""

    def signed_bytes(self) -> bytes:
        """What the signature covers."""
        return f"understudy audit log, entry {self.n}: {self.hash}".encode()


class HeadKey(Protocol):
    """Signs heads and checks signatures, such as the registry's `Signer`."""

    def key_id(self) -> str: ...
    def sign(self, data: bytes, key_id: str) -> str: ...
    def verify(self, data: bytes, key_id: str, signature: str) -> None:
        """Raises IntegrityError where the key is unknown or the signature does not fit."""


def signed_head(n: int, entry_hash: str, key: HeadKey) -> AuditHead:
    """The head, signed.

    Raises:
        IntegrityError: the key cannot be used.
    """
    head = AuditHead(n=n, hash=entry_hash, key_id=key.key_id())
    return head.model_copy(update={"signature": key.sign(head.signed_bytes(), head.key_id)})
