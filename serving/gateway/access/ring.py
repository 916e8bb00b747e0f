"""The keys that a gateway knows from its state directory, read again whenever they change."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from deploy.engines.keys import known_own_key
from serving.gateway.access import key_file
from understudy.errors import UnderstudyError
from understudy.state import StateDir

log = logging.getLogger("understudy.gateway")
LOOK_SECONDS = 0.25
"""Between two looks: a key is known, or known no more, within a second."""
OWN_TENANT = "default"


@dataclass(frozen=True, slots=True)
class KeyRing:
    """Keys of a state directory."""

    asked: bool = False
    """Whether a key was ever made there: from then on every client needs one, even when all are revoked."""
    secret: bytes = b""
    tenants: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """By the HMAC of a key that is in use."""
    own: str = field(default="", repr=False)
    """The key of what `up` runs, whose tenant is `default`."""


NO_RING = KeyRing()


def read_ring(state: StateDir) -> KeyRing:
    """The keys of a state directory.

    Raises:
        OSError, IntegrityError: there are some, and they cannot be read.
    """
    own = known_own_key(state)
    found = key_file.read(state.clients)
    if found is None:
        return KeyRing(own=own)
    tenants = {one.hmac: one.tenant for one in found.keys if one.revoked is None}
    return KeyRing(True, key_file.secret_of(state.clients), MappingProxyType(tenants), own)


class RingFollower:
    """Gives `take` the keys of a state directory whenever they changed; a look is some microseconds in a thread."""

    def __init__(self, state: StateDir, first: KeyRing, take: Callable[[KeyRing], None]) -> None:
        """`first`: what was read before."""
        self._state = state
        self._asked = first.asked
        self._take = take
        self._seen: object = ()
        self._told = ""

    async def run(self) -> None:
        """Look until cancelled; keys that cannot be read leave the last ones in force."""
        while True:
            try:
                found = await asyncio.to_thread(self._changed)
            except (OSError, UnderstudyError) as error:
                if str(error) != self._told:
                    log.error("cannot read the keys of clients, those known before stay in force: %s", error)
                self._told = str(error)
            else:
                self._told = ""
                if found is not None:
                    self._take(found)
            await asyncio.sleep(LOOK_SECONDS)

    def _changed(self) -> KeyRing | None:
        """The keys, if they may be others than at the last look."""
        seen = key_file.signature(self._state.clients), self._state.own_key.exists()
        if seen == self._seen:
            return None
        found = read_ring(self._state)
        self._seen = seen
        if self._asked and not found.asked:
            log.error("%s is gone: no key of it is known any more", key_file.path_of(self._state.clients))
            return KeyRing(True, own=found.own)
        self._asked = found.asked
        return found
