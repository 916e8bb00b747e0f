"""Temporary folders lie in the state directory; where it lies too deep for sockets, in a short one that goes too."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from uuid import uuid4

import pytest

from understudy.errors import UnderstudyError
from understudy.process import scratch
from understudy.process.scratch import Scratch
from understudy.state import StateDir


@pytest.mark.parametrize("length", range(30, 110, 7))
def test_a_socket_named_by_a_uuid_can_be_bound_however_deep_the_state_lies(tmp_path: Path, length: int) -> None:
    held = Scratch(StateDir(tmp_path / ("d" * length)))
    try:
        folder = held.emptied("student-a")
        with socket.socket(socket.AF_UNIX) as bound:
            bound.bind(str(folder / str(uuid4())))
        assert folder.stat().st_mode & 0o077 == 0
    finally:
        held.drop("student-a")
    assert not held.folder.exists()


def test_a_shallow_state_directory_holds_its_own() -> None:
    assert Scratch(StateDir(Path("/s"))).folder == Path("/s/run/tmp")


def test_a_deep_one_gets_a_short_folder_of_its_own_whatever_the_environment_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deep, other = (Scratch(StateDir(tmp_path / (letter * 90))).folder for letter in "ab")
    assert deep != other
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    assert Scratch(StateDir(tmp_path / ("a" * 90))).folder == deep


def test_what_an_earlier_process_of_the_same_name_left_is_gone_and_what_others_use_stays(tmp_path: Path) -> None:
    held = Scratch(StateDir(tmp_path))
    for name in ("teacher", "student-a"):
        (held.emptied(name) / "left").touch()
    assert list(held.emptied("teacher").iterdir()) == []
    held.drop("teacher")
    assert (held.folder / "student-a" / "left").exists()
    held.drop("student-a")
    assert not held.folder.exists()


def test_files_of_this_process_and_of_its_children_go_with_the_block_and_so_does_what_a_killed_run_left(
    tmp_path: Path,
) -> None:
    held, before = Scratch(StateDir(tmp_path)), tempfile.gettempdir()
    for name in ("up", "student-a"):
        (held.emptied(name) / "left").touch()
    with held.holding("up"):
        assert [path.name for path in held.folder.rglob("*")] == ["up"]
        made = Path(tempfile.mkdtemp())
        subprocess.run([sys.executable, "-c", "import tempfile; tempfile.mkdtemp()"], check=True)
        assert made.parent == held.folder / "up"
        assert len(list(made.parent.iterdir())) == 2
    assert not held.folder.exists()
    assert tempfile.gettempdir() == before


def test_a_link_that_somebody_put_in_the_way_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scratch, "SHORT", tmp_path)
    held = Scratch(StateDir(tmp_path / ("d" * 90)))
    os.symlink(tmp_path, held.folder)
    with pytest.raises(UnderstudyError, match="somebody else"):
        held.emptied("teacher")
