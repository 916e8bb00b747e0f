"""Lua scripts, read once from `lua/` beside this module; redis-py loads them into the server on use."""

from __future__ import annotations

from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent / "lua"
ROWS = ("staging", "places", "rows")
"""What changes users' rows, one file after the other."""


@cache
def source(*names: str) -> str:
    """Text of the files `lua/<name>.lua`, one after the other: those that follow see the locals of those before."""
    return "\n".join((FOLDER / f"{name}.lua").read_text("utf-8") for name in names)
