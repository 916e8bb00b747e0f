"""`understudy init` as one types it."""

from __future__ import annotations

from pathlib import Path

from understudy.cli import main
from understudy.state import StateDir


def init(state: StateDir, out: Path, *words: str) -> int:
    """Its exit code."""
    return main(["init", "--state", str(state.root), "--out", str(out), *words])
