"""Which tenant a bearer key belongs to. Only HMACs of keys are known here."""

from __future__ import annotations

import hashlib
import hmac

from serving.gateway.config import ApiKey
from understudy.errors import Unauthorized

ANYBODY = "default"
_CACHE = 4096


class ApiKeys:
    """Looks up keys; with none configured every bearer, or none, is the tenant `default`."""

    def __init__(self, secret: str, keys: tuple[ApiKey, ...]) -> None:
        self._mac = hmac.new(secret.encode(), digestmod=hashlib.sha256)
        self._tenants = {key.hmac: key.tenant for key in keys}
        self._known: dict[str, str] = {}

    def tenant(self, bearer: str) -> str:
        """The tenant of the key `bearer`.

        Raises:
            Unauthorized: keys are configured and this is none of them.
        """
        if not self._tenants:
            return ANYBODY
        tenant = self._known.get(bearer)
        if tenant is None:
            mac = self._mac.copy()
            mac.update(bearer.encode("utf-8", "surrogatepass"))
            tenant = self._tenants.get(mac.hexdigest())
            if tenant is None:
                raise Unauthorized("this API key is not known here; send `authorization: Bearer KEY`")
            if len(self._known) < _CACHE:
                self._known[bearer] = tenant
        return tenant


def bearer_of(authorization: str) -> str:
    """The key in an `authorization` header; empty when there is none."""
    scheme, _, key = authorization.partition(" ")
    return key.strip() if scheme.lower() == "bearer" else ""


def key_hmac(secret: str, key: str) -> str:
    """What the configuration holds for `key`."""
    return hmac.new(secret.encode(), key.encode(), hashlib.sha256).hexdigest()
