"""A log is bounded while its writer, who knows nothing of it, holds it open."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import subprocess
import sys
from pathlib import Path

import pytest

from tests.waiting import eventually_async
from understudy.process.rotation import keep_short, shorten, shorten_all

LIMIT = 20_000
BATCH = 30_000
CHATTY = f"import os, sys\nfor line in sys.stdin: os.write(1, f'batch {{line.strip()}} '.ljust({BATCH}).encode())"


def test_a_log_beyond_the_limit_becomes_the_former_one_and_goes_on_from_nothing(tmp_path: Path) -> None:
    path, former = tmp_path / "one.log", tmp_path / "one.log.1"
    assert not shorten(path, 4)
    with path.open("ab", buffering=0) as writer:
        writer.write(b"1234")
        assert not shorten(path, 4)
        for text in (b"56789", "第二".encode()):
            writer.write(text)
            assert shorten(path, 4)
            assert path.stat().st_size == 0
        assert former.read_bytes() == "第二".encode()
        writer.write(b"next")
    assert path.read_bytes() == b"next"


def test_of_two_who_shorten_a_log_one_does_and_the_former_log_stays_whole(tmp_path: Path) -> None:
    path = tmp_path / "one.log"
    path.write_bytes(b"a" * 10)
    with path.open("rb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        assert not shorten(path, 4)
    assert shorten(path, 4)
    assert not shorten(path, 4)
    assert (tmp_path / "one.log.1").read_bytes() == b"a" * 10


def test_without_room_for_a_copy_a_log_is_emptied_all_the_same(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "one.log"
    path.write_bytes(b"a" * 10)
    monkeypatch.setattr("understudy.process.rotation.shutil.copyfileobj", lambda *_: _no_room())
    assert shorten_all(tmp_path, 4) == 1
    assert [one.name for one in tmp_path.iterdir()] == ["one.log"]
    assert path.stat().st_size == 0
    assert "No space left" in caplog.text


def _no_room() -> None:
    raise OSError(28, "No space left on device")


async def test_a_role_that_never_stops_writing_is_kept_short_while_it_runs(tmp_path: Path) -> None:
    path, former = tmp_path / "chatty.log", tmp_path / "chatty.log.1"
    task = asyncio.create_task(keep_short(tmp_path, LIMIT, 0.01))
    with path.open("ab") as out:
        chatty = await asyncio.create_subprocess_exec(sys.executable, "-c", CHATTY, stdin=subprocess.PIPE, stdout=out)
    assert chatty.stdin is not None
    try:
        for n in range(5):
            chatty.stdin.write(f"{n}\n".encode())
            await eventually_async(lambda n=n: _begins(former, f"batch {n} ") and path.stat().st_size == 0)
            assert former.stat().st_size == BATCH
    finally:
        chatty.kill()
        await chatty.wait()
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def _begins(path: Path, text: str) -> bool:
    return path.is_file() and path.read_bytes().startswith(text.encode())
