"""The key of an engine of somebody else, struck out of what that engine sends: some repeat it in their errors."""

from __future__ import annotations

STRUCK = b"*"


class MaskedKey:
    """Replaces a key by as many asterisks, so that lengths stay, over chunks however they are cut."""

    def __init__(self, key: bytes) -> None:
        """`key`: not empty."""
        self._key = key
        self._held = b""

    def feed(self, data: bytes) -> bytes:
        """What may be passed on by now: a beginning of the key at the end waits for what follows."""
        data = self._held + data
        data = data.replace(self._key, STRUCK * len(self._key))
        held = self._beginning(data)
        self._held = data[len(data) - held :]
        return data[: len(data) - held]

    def rest(self) -> bytes:
        """What was held back, at the end of the reply."""
        held, self._held = self._held, b""
        return held

    def _beginning(self, data: bytes) -> int:
        """Length of the longest beginning of the key with which `data` ends."""
        longest = min(len(self._key) - 1, len(data))
        first = data.find(self._key[:1], len(data) - longest)
        while first != -1:
            if self._key.startswith(data[first:]):
                return len(data) - first
            first = data.find(self._key[:1], first + 1)
        return 0
