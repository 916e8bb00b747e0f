"""Files exist whole or not at all, and a secret is made once."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from understudy.files import (
    copy_durably,
    is_ready,
    kept_secret,
    mark_ready,
    read_json,
    sha256_file,
    write_atomic,
    write_json,
    write_new,
)


def test_a_write_that_fails_leaves_the_former_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "value.json"
    write_json(path, {"a": 1})
    with pytest.raises(UnicodeEncodeError):
        write_atomic(path, "\ud800")
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError, match="folder"):
        write_atomic(tmp_path / "folder", "text")
    assert read_json(path) == {"a": 1}
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["folder", "value.json"]


def test_a_file_gets_the_mode_that_is_asked_for(tmp_path: Path) -> None:
    write_atomic(tmp_path / "deep" / "key", b"x", mode=0o600)
    assert (tmp_path / "deep" / "key").stat().st_mode & 0o777 == 0o600


def test_whoever_comes_first_makes_the_secret_and_all_read_the_same(tmp_path: Path) -> None:
    path, names, found = tmp_path / "secret", iter("abcdefgh"), []
    threads = [threading.Thread(target=lambda: found.append(kept_secret(path, lambda: next(names)))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(found) == {path.read_text().strip()}
    assert path.stat().st_mode & 0o777 == 0o600
    assert [entry.name for entry in tmp_path.iterdir()] == ["secret"]


def test_a_folder_is_ready_once_its_marker_is_there(tmp_path: Path) -> None:
    assert not is_ready(tmp_path)
    mark_ready(tmp_path)
    assert is_ready(tmp_path)


def test_the_hash_is_that_of_the_bytes(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"abc")
    assert sha256_file(tmp_path / "file") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_a_file_is_copied_whole_and_its_folder_made(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(bytes(range(256)) * 9000)
    copy_durably(tmp_path / "a", tmp_path / "deep" / "er" / "b")
    assert (tmp_path / "deep" / "er" / "b").read_bytes() == (tmp_path / "a").read_bytes()


def test_the_bytes_are_on_the_disk_before_the_name_and_the_name_before_the_return(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[tuple[str, int]] = []
    fsync, replace = os.fsync, os.replace

    def synced(descriptor: int) -> None:
        fsync(descriptor)
        done.append(("synced", os.fstat(descriptor).st_ino))

    def named(source: str, target: Path) -> None:
        replace(source, target)
        done.append(("named", target.stat().st_ino))

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "replace", named)
    write_atomic(tmp_path / "value", b"x")
    file, folder = (tmp_path / "value").stat().st_ino, tmp_path.stat().st_ino
    assert done == [("synced", file), ("named", file), ("synced", folder)]


def test_a_new_file_is_made_once(tmp_path: Path) -> None:
    assert write_new(tmp_path / "one", "first")
    assert not write_new(tmp_path / "one", "second")
    assert (tmp_path / "one").read_text() == "first"
    assert [entry.name for entry in tmp_path.iterdir()] == ["one"]
