"""The two keys of the engines, made on first use: one for those who ask, one for the agents alone."""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path

from understudy.state import StateDir


def engine_key(state: StateDir) -> str:
    """The key that gateways, workers and the trainer give; `UNDERSTUDY_ENGINE_KEY` goes before the file."""
    return os.environ.get("UNDERSTUDY_ENGINE_KEY") or _kept(state.engine_key)


def control_key(state: StateDir) -> str:
    """The agents' own key, for closing, loading and opening; `UNDERSTUDY_ENGINE_CONTROL_KEY` goes before."""
    return os.environ.get("UNDERSTUDY_ENGINE_CONTROL_KEY") or _kept(state.run / "engine-control.key")


def _kept(path: Path) -> str:
    """The text of `path`; made by whoever comes first, whole or not at all, readable by its owner alone."""
    with contextlib.suppress(FileNotFoundError):
        return path.read_text("ascii").strip()
    path.parent.mkdir(parents=True, exist_ok=True)
    own = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(own, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(secrets.token_urlsafe(32) + "\n")
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(own, path)
    finally:
        own.unlink()
    return path.read_text("ascii").strip()
