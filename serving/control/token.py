"""The control plane's token: made on first start, readable by its owner alone, compared in constant time."""

from __future__ import annotations

import contextlib
import hmac
import os
import secrets

from understudy.files import write_atomic
from understudy.state import StateDir

ENV = "UNDERSTUDY_ADMIN_TOKEN"


def admin_token(state: StateDir) -> str:
    """The token of a state directory; `UNDERSTUDY_ADMIN_TOKEN` goes before the file."""
    given = os.environ.get(ENV)
    if given:
        return given
    path = state.admin_token
    if not path.exists():
        draft = path.with_name(f".{path.name}.{os.getpid()}")
        write_atomic(draft, secrets.token_urlsafe(32) + "\n", mode=0o600)
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)
        draft.unlink()
    return path.read_text("ascii").strip()


def fits(header: str | None, token: str) -> bool:
    """Whether an `authorization` header carries the token."""
    kind, _, given = (header or "").partition(" ")
    return kind.lower() == "bearer" and hmac.compare_digest(given.strip().encode(), token.encode())
