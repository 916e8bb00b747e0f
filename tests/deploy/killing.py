"""A controller killed before each of its writes, each time on the same state.

The writes are counted by the process itself, as the interpreter reports them, so that one that is added is tested. All
of it is done in processes of their own: they hold little, so that a child of theirs is quickly made, whatever the test
session has loaded; and they are two, each with a world of its own and every other write.
"""

from __future__ import annotations

import multiprocessing
import os
import shutil
import sys
import traceback
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from tests.deploy.fleet import World
from understudy.state import StateDir

CHANGES = ("os.rename", "os.link", "os.remove", "os.truncate", "os.mkdir", "os.symlink", "os.rmdir")
KILLED, WENT_THROUGH = 9, 7
MOST = 400
"""More writes than any act makes."""
PROCESSES = 2


def killed_everywhere(
    prepare: Callable[[StateDir], World], act: Callable[[World], object], check: Callable[[World], None], folder: Path
) -> int:
    """Kill `act` before each of its writes to what `prepare` made, and `check` the successor; at which it went through.

    All three are functions of a module, for other processes to call. What fails there is in the captured output.
    """
    with ProcessPoolExecutor(PROCESSES, multiprocessing.get_context("spawn")) as pool:
        shares = [range(first, MOST, PROCESSES) for first in range(1, PROCESSES + 1)]
        parts = [pool.submit(_killed_at, prepare, act, check, folder / str(share.start), share) for share in shares]
        return min(part.result() for part in parts)


def _killed_at(
    prepare: Callable[[StateDir], World],
    act: Callable[[World], object],
    check: Callable[[World], None],
    folder: Path,
    numbers: Iterable[int],
) -> int:
    """The first of `numbers` that is more than `act` writes; it was killed before each that comes earlier."""
    os.fsync = lambda _: None  # what a kill leaves the kernel has; a disk would only make this slow
    state, before = StateDir(folder / "state"), folder / "before"
    state.root.mkdir(parents=True)
    world = prepare(state)
    shutil.copytree(state.root, before)

    def killed(number: int) -> int:
        _die_before_write(number, state)
        act(world)
        return 0

    def trial(number: int) -> int:
        code = _in_child(lambda: killed(number))
        assert code in (0, KILLED), f"write {number}: exit code {code}"
        world.start()
        world.turn(5)
        check(world)
        return WENT_THROUGH if code == 0 else 0

    for number in numbers:
        shutil.rmtree(state.root)
        shutil.copytree(before, state.root)
        code = _in_child(lambda number=number: trial(number))
        assert code in (0, WENT_THROUGH), f"killed before write {number}: see what the process said"
        if code == WENT_THROUGH:
            return number
    raise AssertionError("it never went through")


def _die_before_write(number: int, state: StateDir) -> None:
    """End this process, as by SIGKILL, at the write `number` (from 1) below the registry of `state`."""
    left = [number]

    def watch(event: str, given: tuple[object, ...]) -> None:
        if event == "open":
            flags = given[2] if isinstance(given[2], int) else 0
            writes = bool(flags & (os.O_WRONLY | os.O_RDWR))
        else:
            writes = event in CHANGES
        path = given[0] if given else None
        if writes and isinstance(path, str | os.PathLike) and Path(path).is_relative_to(state.registry):
            left[0] -= 1
            if left[0] == 0:
                os._exit(KILLED)

    sys.addaudithook(watch)


def _in_child(work: Callable[[], int]) -> int:
    """The exit code of `work` in a process of its own; 1 with a traceback where it raised."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            code = work()
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
