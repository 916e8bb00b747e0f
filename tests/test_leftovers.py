"""A test session that leaves something outside its own folder fails and names it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
CONFTEST = 'pytest_plugins = ["tests.leftovers"]\n'


@pytest.mark.parametrize(
    ("body", "left"),
    [
        ("import tempfile; tempfile.mkdtemp(prefix='forgotten-')", "/tmp/forgotten-"),
        ("import pathlib; (pathlib.Path.home() / '.cache').mkdir()", "/home/.cache"),
        ("import tempfile; tempfile.TemporaryDirectory().cleanup(); tmp_path.joinpath('file').touch()", ""),
    ],
)
def test_what_a_test_forgets_is_named(tmp_path: Path, body: str, left: str) -> None:
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "test_one.py").write_text(f"def test_it(tmp_path):\n    {body}\n")
    command = [sys.executable, "-m", "pytest", "-c", "/dev/null", "-p", "no:cacheprovider", str(tmp_path)]
    env = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}  # what others bring along only takes time
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=60)
    assert "1 passed" in done.stdout
    assert done.returncode == (1 if left else 0), done.stdout
    assert ("left behind" in done.stdout) == bool(left)
    assert left in done.stdout
