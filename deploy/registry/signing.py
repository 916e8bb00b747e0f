"""The registry's Ed25519 key pair: made at first use, private part readable by its owner alone.

Which key counts is not decided in the registry's folder, so that a public key put there vouches for nothing: the
id of the pair is pinned outside of it when the pair is first used, and configuration names all others.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from understudy.errors import IntegrityError
from understudy.files import kept_secret, write_atomic

PRIVATE = "signing.key"


class Signer:
    """Signs with the private key in `folder`; verifies with the public keys there that are pinned or `trusted`.

    Public keys are files `<key id>.pub`; `pin` is the file that holds the id of the own one.
    """

    def __init__(self, folder: Path, pin: Path, trusted: Collection[str] = ()) -> None:
        self._folder = folder
        self._pin = pin
        self._trusted = trusted

    def sign(self, data: bytes, key_id: str) -> str:
        """Signature of `data` in hex; `key_id` must be the one of `key_id()`."""
        key = self._private()
        if _id(key.public_key()) != key_id:
            raise IntegrityError("the signing key changed meanwhile; register the version again")
        return key.sign(data).hex()

    def key_id(self) -> str:
        """Id of the key that signs: the first 16 hex digits of the SHA-256 of the public key."""
        return _id(self._private().public_key())

    def verify(self, data: bytes, key_id: str, signature: str) -> None:
        """Check a signature.

        Raises:
            IntegrityError: unknown key, or the signature does not fit.
        """
        if key_id not in (*self._trusted, self._own()):
            raise IntegrityError(f"signed by an unknown key {key_id!r}; where it is right: registry.trusted_keys")
        path = self._folder / f"{key_id}.pub"
        if not key_id.isalnum() or not path.is_file():
            raise IntegrityError(f"signed by the key {key_id!r}, which is missing; put it into {self._folder.name}/")
        try:
            public = Ed25519PublicKey.from_public_bytes(bytes.fromhex(path.read_text().strip()))
            public.verify(bytes.fromhex(signature), data)
        except (InvalidSignature, ValueError):
            raise IntegrityError("the signature does not fit the manifest") from None

    def _own(self) -> str | None:
        """The pinned key id; None before there is a key pair."""
        if not self._pin.exists() and (self._folder / PRIVATE).exists():
            self._private()
        return self._pin.read_text("utf-8").strip() if self._pin.exists() else None

    def _private(self) -> Ed25519PrivateKey:
        path = self._folder / PRIVATE
        try:
            text = kept_secret(path, lambda: Ed25519PrivateKey.generate().private_bytes_raw().hex())
            key = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(text))
        except (OSError, ValueError) as error:
            raise IntegrityError(f"signing key {path.name} cannot be used ({error}); restore it") from None
        kept_secret(self._pin, lambda: _id(key.public_key()))
        public = self._folder / f"{_id(key.public_key())}.pub"
        if not public.exists():
            write_atomic(public, key.public_key().public_bytes_raw().hex() + "\n")
        return key


def _id(public: Ed25519PublicKey) -> str:
    return hashlib.sha256(public.public_bytes_raw()).hexdigest()[:16]
