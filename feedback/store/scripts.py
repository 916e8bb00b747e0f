"""Lua scripts, read once from `lua/` beside this module; redis-py loads them into the server on use."""

from __future__ import annotations

from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent / "lua"


@cache
def source(name: str) -> str:
    """Text of `lua/<name>.lua`."""
    return (FOLDER / f"{name}.lua").read_text("utf-8")
