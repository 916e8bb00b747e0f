"""Identifiers: unguessable ones for requests, deterministic ones for events."""

from __future__ import annotations

import base64
import hashlib
import os


def random_id(prefix: str = "") -> str:
    """`prefix` and 128 random bits in hex, which nobody can guess."""
    return prefix + os.urandom(16).hex()


def stable_id(*parts: str) -> str:
    """128 bits of SHA-256 over `parts` in hex: the same parts give the same id in every process."""
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:32]


def short_hash(text: str) -> str:
    """96 bits of SHA-256 of `text` in 16 characters, where millions of them are held in memory."""
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()[:12]).decode()


def unit_fraction(*parts: str) -> float:
    """A number in [0, 1) from `parts`, uniform over distinct parts; for sampling by hash."""
    return int(stable_id(*parts)[:13], 16) / 16**13
