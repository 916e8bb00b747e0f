"""A lock keeps others out while its holder lives, and no longer."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from understudy.errors import Conflict
from understudy.process.lock import ProcessLock, exclusive, take

HOLDER = """
import sys
from pathlib import Path
from understudy.process.lock import ProcessLock
with ProcessLock(Path(sys.argv[1]), ""):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_another_process_is_refused_and_told_who_holds_it_until_that_one_is_killed(tmp_path: Path) -> None:
    path = tmp_path / "run" / "job.lock"
    command = [sys.executable, "-c", HOLDER, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        path.parent.mkdir(exist_ok=True)
        with pytest.raises(Conflict, match=f"held by {holder.pid}"), ProcessLock(path, "held by {pid}"):
            pass
        holder.kill()
    with ProcessLock(path, "held by {pid}"):
        assert path.read_text() == f"{os.getpid()}\n"


def test_taking_without_waiting_says_whether_it_was_taken(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with path.open("w") as one, path.open("w") as other:
        assert take(one, wait=False)
        assert not take(other, wait=False)
        one.close()
        assert take(other, wait=False)


def test_the_second_waits_until_the_first_is_done(tmp_path: Path) -> None:
    path, order = tmp_path / "lock", []

    def second() -> None:
        with exclusive(path):
            order.append("second")

    thread = threading.Thread(target=second)
    with exclusive(path):
        thread.start()
        thread.join(0.2)
        order.append("first")
    thread.join(60)
    assert order == ["first", "second"]
