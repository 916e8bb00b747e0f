"""The plain start leaves nothing behind."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import psutil
import pytest

from serving.engine.launch import plain
from serving.engine.launch.launcher import LaunchSpec
from serving.engine.launch.plain import PlainLauncher
from tests.waiting import eventually_async


async def test_what_an_engine_leaves_is_killed_at_its_end_and_its_number_never_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start, left = asyncio.create_subprocess_exec, tmp_path / "left"

    async def soon_ended(*_: str, **options: Any) -> asyncio.subprocess.Process:
        return await start("sh", "-c", f"sleep 600 & echo $! > {left}; exit 3", **options)

    monkeypatch.setattr(asyncio, "create_subprocess_exec", soon_ended)
    launcher = PlainLauncher()
    await launcher.start(LaunchSpec("student-a", (), {}, (), str(tmp_path / "log")))
    await eventually_async(lambda: left.is_file() and not running(int(left.read_text() or 1)), what="an empty group")
    found = await launcher.look("student-a")
    assert (found and found.exit) == 3
    signals: list[object] = []
    monkeypatch.setattr(plain, "signal_engine", lambda *sent: signals.append(sent))
    await launcher.stop("student-a", 1.0)
    assert signals == []


def running(pid: int) -> bool:
    """Whether a process is there and no zombie."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
