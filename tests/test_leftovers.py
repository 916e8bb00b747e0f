"""A test session that leaves something outside its own folder fails and names it."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.waiting import LONG

ROOT = Path(__file__).resolve().parent.parent
CONFTEST = 'import tests.leftovers\ntests.leftovers.ENDS_SECONDS = 0.2\npytest_plugins = ["tests.leftovers"]\n'


def test_a_forked_child_collects_nothing_that_may_belong_to_a_library_with_threads() -> None:
    child = os.fork()
    if child == 0:
        os._exit(int(gc.isenabled()))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert gc.isenabled()


@pytest.mark.parametrize(
    ("body", "left"),
    [
        ("import tempfile; tempfile.mkdtemp(prefix='forgotten-')", "/tmp/forgotten-"),
        ("import pathlib; (pathlib.Path.home() / '.cache').mkdir()", "/home/.cache"),
        ("import tempfile; tempfile.TemporaryDirectory().cleanup(); tmp_path.joinpath('file').touch()", ""),
    ],
)
def test_what_a_test_forgets_is_named(tmp_path: Path, body: str, left: str) -> None:
    done = session(tmp_path, body)
    assert "1 passed" in done.stdout
    assert done.returncode == (1 if left else 0), done.stdout
    assert ("left behind" in done.stdout) == bool(left)
    assert left in done.stdout


@pytest.mark.parametrize(("name", "code"), [("kafka-io-1", 1), ("another", 0)])
def test_a_client_of_kafka_that_a_module_leaves_is_an_error(tmp_path: Path, name: str, code: int) -> None:
    began = f"threading.Thread(target=time.sleep, args=(600,), name={name!r}, daemon=True).start()"
    done = session(tmp_path, f"import threading, time; {began}")
    assert "1 passed" in done.stdout
    assert done.returncode == code, done.stdout
    assert ("the end of the Kafka clients" in done.stdout) == bool(code)


def session(folder: Path, body: str) -> subprocess.CompletedProcess[str]:
    """A test session of one test, which does `body`."""
    (folder / "conftest.py").write_text(CONFTEST)
    (folder / "test_one.py").write_text(f"def test_it(tmp_path):\n    {body}\n")
    command = [sys.executable, "-m", "pytest", "-c", "/dev/null", "-p", "no:cacheprovider", str(folder)]
    env = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}  # what others bring along only takes time
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=LONG)
