"""Whatever a test session makes lies in `.test-tmp/PID` of the checkout, and a session that leaves something fails.

Tests and the processes that they start see an empty home and an empty temporary folder there. After the last test both
must be empty again; then all of it is removed, unless a test failed. No client of Kafka outlives the module of the
test that made it: its thread would go on, and write into the logs of tests that know nothing of it.
"""

from __future__ import annotations

import gc
import os
import shutil
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.waiting import eventually

# A forked child has none of its parent's threads: to collect there what belongs to a library that has some, a client
# of Kafka for one, may end it by a segmentation fault.
os.register_at_fork(after_in_child=gc.disable)

BASE = Path(__file__).resolve().parent.parent / ".test-tmp"
FOLDER = pytest.StashKey[Path]()
LEFT = pytest.StashKey[list[str]]()
ENDS_SECONDS = 60.0
"""For what was told to end."""
# torch makes this folder when it is imported, which a conftest of a folder named on the command line may do before
# pytest_configure is called.
os.environ["TORCHINDUCTOR_CACHE_DIR"] = str(BASE / str(os.getpid()) / "compiled")


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Give the session its folders; those of sessions that have ended go."""
    for former in BASE.glob("[0-9]*"):
        if not psutil.pid_exists(int(former.name)):
            shutil.rmtree(former, ignore_errors=True)
    own = config.stash[FOLDER] = BASE / str(os.getpid())
    shutil.rmtree(own, ignore_errors=True)
    for variable, name in (("TMPDIR", "tmp"), ("HOME", "home")):
        (own / name).mkdir(parents=True)
        os.environ[variable] = str(own / name)
    tempfile.tempdir = None
    config.option.basetemp = config.option.basetemp or str(own / "t")


def client_threads() -> set[threading.Thread]:
    """Those of clients of Kafka that run, and ours that wait for one."""
    return {
        thread
        for thread in threading.enumerate()
        if thread.name.startswith("kafka") or type(thread).__module__.startswith("kafka.")
    }


@pytest.fixture(scope="module", autouse=True)
def no_client_outlives_its_module() -> Iterator[None]:
    """Fail the last test of a module that leaves a client of Kafka."""
    before = client_threads()
    yield
    if client_threads() - before:
        eventually(lambda: not client_threads() - before, ENDS_SECONDS, "the end of the Kafka clients made here")


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Fail when something is left, else remove the session's folders."""
    own = session.config.stash[FOLDER]
    left = left_in(own / "tmp") + left_in(own / "home")
    if left:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
        session.config.stash[LEFT] = left
    elif exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
        shutil.rmtree(own, ignore_errors=True)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Name what is left."""
    if left := config.stash.get(LEFT, []):
        terminalreporter.section("left behind", red=True)
        terminalreporter.write_line("\n".join(left))


def left_in(folder: Path) -> list[str]:
    """What lies in a folder, as paths."""
    return sorted(str(path) for path in folder.iterdir())
