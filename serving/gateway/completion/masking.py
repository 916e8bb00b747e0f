"""The key of an engine of somebody else, struck out of what that engine sends: some repeat it in their errors."""

from __future__ import annotations

import re

from serving.gateway.http.wire import Headers

STRUCK = b"*"


class MaskedKey:
    """Replaces a key by as many asterisks, so that lengths stay, over chunks however they are cut.

    A key with slashes is found as it is and as JSON may write it, which escapes each of them.
    """

    def __init__(self, key: bytes) -> None:
        """`key`: not empty."""
        self._key = key
        escaped = key.replace(b"/", rb"\/")
        self._spellings = (key,) if escaped == key else (key, escaped)
        self._either = re.compile(b"|".join(map(re.escape, self._spellings))) if escaped != key else None
        self._held = b""

    def feed(self, data: bytes) -> bytes:
        """What may be passed on by now: a beginning of the key at the end waits for what follows."""
        data = self._struck(self._held + data)
        held = max(_beginning(key, data) for key in self._spellings)
        self._held = data[len(data) - held :]
        return data[: len(data) - held]

    def rest(self) -> bytes:
        """What was held back, at the end of the reply."""
        held, self._held = self._held, b""
        return held

    def headers(self, given: Headers) -> Headers:
        """Fields of a reply, each value without the key."""
        return [(name, self._struck(value)) for name, value in given]

    def _struck(self, data: bytes) -> bytes:
        if self._either is None:
            return data.replace(self._key, STRUCK * len(self._key))
        return self._either.sub(lambda found: STRUCK * len(found[0]), data)


def _beginning(key: bytes, data: bytes) -> int:
    """Length of the longest beginning of `key`, short of the whole, with which `data` ends."""
    longest = min(len(key) - 1, len(data))
    first = data.find(key[:1], len(data) - longest)
    while first != -1:
        if key.startswith(data[first:]):
            return len(data) - first
        first = data.find(key[:1], first + 1)
    return 0
