"""A version in the making goes on where it stopped, and begins anew for anything else."""

from __future__ import annotations

import errno
import shutil
from pathlib import Path

import pytest

from onboard.source.files import look
from onboard.source.tensors import places
from onboard.write.draft import Draft, NoRoom, full_disk_named
from onboard.write.streaming import PlannedTensor


def tensors(made: Path) -> list[PlannedTensor]:
    return [PlannedTensor(name, place, place.dtype) for name, place in places(look(made)).items()]


def test_what_is_written_is_not_written_again_and_what_was_half_written_is(made: Path, tmp_path: Path) -> None:
    first = Draft(tmp_path / "d", {"of": "this"})
    first.weights("a.safetensors", tensors(made), lambda _: None)
    first.text("config.json", "{}")
    (first.files / ".b.safetensors.part").write_bytes(b"half")
    stamp = (first.files / "a.safetensors").stat().st_mtime_ns
    again = Draft(tmp_path / "d", {"of": "this"})
    assert sorted(path.name for path in again.files.iterdir()) == ["a.safetensors"]
    read: list[int] = []
    again.weights("a.safetensors", tensors(made), read.append)
    assert (again.files / "a.safetensors").stat().st_mtime_ns == stamp
    assert sum(read) == sum(tensor.place.size for tensor in tensors(made))


def test_another_source_or_a_damaged_journal_begins_anew(made: Path, tmp_path: Path) -> None:
    Draft(tmp_path / "d", {"of": "this"}).weights("a.safetensors", tensors(made), lambda _: None)
    assert not Draft(tmp_path / "d", {"of": "that"}).has("a.safetensors")
    Draft(tmp_path / "d", {"of": "that"}).weights("a.safetensors", tensors(made), lambda _: None)
    (tmp_path / "d" / "journal.json").write_text("{")
    assert not Draft(tmp_path / "d", {"of": "that"}).has("a.safetensors")


def test_no_room_is_said_before_anything_is_written(tmp_path: Path) -> None:
    draft = Draft(tmp_path / "d", {})
    draft.require_room(1)
    with pytest.raises(NoRoom, match=r"MiB are needed.*--state"):
        draft.require_room(shutil.disk_usage(tmp_path).free)


def test_a_full_disk_says_that_the_same_command_goes_on(tmp_path: Path) -> None:
    with pytest.raises(NoRoom, match="goes on where it stopped"), full_disk_named(tmp_path):
        raise OSError(errno.ENOSPC, "No space left on device")
    with pytest.raises(PermissionError), full_disk_named(tmp_path):
        raise PermissionError(errno.EACCES, "not yours")
