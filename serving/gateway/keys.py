"""Which tenant a bearer key belongs to. Only HMACs of clients' keys are known here."""

from __future__ import annotations

import hmac

from serving.gateway.access.key_file import hashed
from serving.gateway.access.ring import NO_RING, OWN_TENANT, KeyRing
from serving.gateway.config import ApiKey
from understudy.errors import Unauthorized

ANYBODY = "default"
_CACHE = 4096


class ApiKeys:
    """Looks up keys, of the configuration and of the state directory's ring.

    With none configured and none ever made every bearer, or none, is the tenant `default`.
    """

    def __init__(self, secret: str, keys: tuple[ApiKey, ...], ring: KeyRing = NO_RING) -> None:
        self._secret = secret.encode()
        self._configured = {key.hmac: key.tenant for key in keys}
        self._known: dict[str, str] = {}
        self.take(ring)

    def take(self, ring: KeyRing) -> None:
        """From now on the keys of the state directory are these."""
        self._ring = ring
        self._known.clear()

    @property
    def asked(self) -> bool:
        """Whether a client needs a key."""
        return bool(self._configured) or self._ring.asked

    def tenant(self, bearer: str) -> str:
        """The tenant of the key `bearer`.

        Raises:
            Unauthorized: keys are asked for and this is none of them.
        """
        if not self.asked:
            return ANYBODY
        tenant = self._known.get(bearer)
        if tenant is None:
            tenant = self._found(bearer)
            if tenant is None:
                raise Unauthorized("this API key is not known here; send `authorization: Bearer KEY`")
            if len(self._known) < _CACHE:
                self._known[bearer] = tenant
        return tenant

    def _found(self, bearer: str) -> str | None:
        ring = self._ring
        if ring.own and hmac.compare_digest(ring.own.encode(), bearer.encode("utf-8", "surrogatepass")):
            return OWN_TENANT
        found = ring.tenants.get(hashed(ring.secret, bearer)) if ring.tenants else None
        if found is None and self._configured:
            found = self._configured.get(hashed(self._secret, bearer))
        return found


def bearer_of(authorization: str) -> str:
    """The key in an `authorization` header; empty when there is none."""
    scheme, _, key = authorization.partition(" ")
    return key.strip() if scheme.lower() == "bearer" else ""


def key_hmac(secret: str, key: str) -> str:
    """What the configuration holds for `key`."""
    return hashed(secret.encode(), key)
