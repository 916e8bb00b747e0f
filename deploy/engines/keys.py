"""The keys that processes of one system show each other, made on first use.

Two of the engines, for those who ask and for the agents alone; one by which what `up` runs asks the gateway.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from deploy.engines.names import CONTROL_KEY_VARIABLE, KEY_VARIABLE
from understudy.files import kept_secret
from understudy.state import StateDir


def engine_key(state: StateDir) -> str:
    """The key that gateways, workers and the trainer give; `UNDERSTUDY_ENGINE_KEY` goes before the file."""
    return os.environ.get(KEY_VARIABLE) or kept_secret(state.engine_key, _made)


def known_engine_key(file: Path | None) -> str:
    """The same key, for those who never make it: of the environment, else in `file`; empty while there is none."""
    try:
        return os.environ.get(KEY_VARIABLE) or (file.read_text("utf-8").strip() if file else "")
    except (OSError, UnicodeDecodeError):
        return ""


def control_key(state: StateDir) -> str:
    """The agents' own key, for closing, loading and opening; `UNDERSTUDY_ENGINE_CONTROL_KEY` goes before."""
    return os.environ.get(CONTROL_KEY_VARIABLE) or kept_secret(state.run / "engine-control.key", _made)


def own_key(state: StateDir) -> str:
    """The key by which what `up` runs asks the gateway; no client's, and nobody has to know of it."""
    return kept_secret(state.own_key, _made)


def known_own_key(state: StateDir) -> str:
    """The same key, for those who never make it; empty while there is none."""
    try:
        return state.own_key.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return ""


def _made() -> str:
    return secrets.token_urlsafe(32)
