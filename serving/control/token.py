"""The control plane's token: made on first start, readable by its owner alone, compared in constant time."""

from __future__ import annotations

import hmac
import os
import secrets

from understudy.files import kept_secret
from understudy.state import StateDir

ENV = "UNDERSTUDY_ADMIN_TOKEN"
TOKEN_NAME = "admin"
"""Name of the one token that there is, for the audit log."""
AS_HEADER = "x-understudy-as"
"""The name that an operator gives himself; percent-encoded UTF-8."""
USER_HEADER = "x-understudy-system-user"
"""The user of the system on whose machine the command ran; likewise."""


def admin_token(state: StateDir) -> str:
    """The token of a state directory; `UNDERSTUDY_ADMIN_TOKEN` goes before the file."""
    return os.environ.get(ENV) or kept_secret(state.admin_token, lambda: secrets.token_urlsafe(32))


def fits(header: str | None, token: str) -> bool:
    """Whether an `authorization` header carries the token."""
    kind, _, given = (header or "").partition(" ")
    return kind.lower() == "bearer" and hmac.compare_digest(given.strip().encode(), token.encode())
