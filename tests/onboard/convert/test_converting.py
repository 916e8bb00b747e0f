"""Which form a model has, and what was made of it is made once."""

from __future__ import annotations

import signal
from pathlib import Path

import gguf as library
import pytest

from deploy.registry.store import Registry
from onboard.convert.converting import folder_of, form
from onboard.importing import ImportOptions, KeptDtype, import_model
from onboard.refusal import ModelRefused
from onboard.write.draft import NoRoom
from tests.onboard import ggufs
from tests.onboard.conftest import ENGINES
from tests.onboard.stages import HEADER, Steps, in_child, killed_when, meddling, room_of, silent
from understudy.state import StateDir


@pytest.fixture
def file(made: Path, tmp_path: Path) -> Path:
    (tmp_path / "g").mkdir()
    return ggufs.write(made, tmp_path / "g" / "m.gguf", library.GGMLQuantizationType.Q8_0)


def test_the_form_is_told_by_what_lies_there(made: Path, file: Path, tmp_path: Path) -> None:
    assert form(made) == "safetensors"
    assert form(file) == form(file.parent) == "gguf"
    (tmp_path / "model.bin").touch()
    for path, said in ((tmp_path / "model.bin", "never loaded"), (tmp_path / "nothing", "does not exist")):
        with pytest.raises(ModelRefused, match=said):
            form(path)


def test_what_was_made_whole_is_made_once_and_half_of_it_anew(file: Path, tmp_path: Path) -> None:
    def convert() -> Path:
        return folder_of(file, None, tmp_path / "made", "keep", silent)[0]

    first = convert()
    stamp = (first / "model.safetensors").stat().st_mtime_ns
    assert (convert() / "model.safetensors").stat().st_mtime_ns == stamp
    (tmp_path / "made" / "READY").unlink()
    assert (convert() / "model.safetensors").stat().st_mtime_ns != stamp
    stamp = (first / "model.safetensors").stat().st_mtime_ns
    file.touch()
    assert (convert() / "model.safetensors").stat().st_mtime_ns != stamp


@pytest.mark.parametrize("step", ["reading", "dequantising"])
def test_a_file_that_changes_meanwhile_is_refused(state_dir: StateDir, file: Path, step: str) -> None:
    with pytest.raises(ModelRefused, match="changed while it was read"):
        import_model(state_dir, file, ImportOptions("teacher"), ENGINES, meddling(file, step))
    assert Registry(state_dir).versions() == []
    assert import_model(state_dir, file, ImportOptions("teacher"), ENGINES, silent).manifest.version == "t1"


def test_a_disk_that_is_full_while_it_is_converted_is_named(state_dir: StateDir, file: Path, made: Path) -> None:
    def work() -> None:
        with pytest.raises(NoRoom, match="goes on where it stopped"):
            import_model(state_dir, file, ImportOptions("teacher"), ENGINES, silent)

    assert in_child(work, (made / "model.safetensors").stat().st_size // 2) == 0
    assert Registry(state_dir).versions() == []
    assert import_model(state_dir, file, ImportOptions("teacher"), ENGINES, silent).manifest.version == "t1"


@pytest.mark.parametrize(("dtype", "width"), [("keep", 2), ("float32", 4)])
def test_no_room_for_what_is_converted_and_its_copy_is_said_before_anything_is_read(
    state_dir: StateDir, file: Path, monkeypatch: pytest.MonkeyPatch, dtype: KeptDtype, width: int
) -> None:
    options, one, steps = ImportOptions("teacher", dtype=dtype), width * 234_304, Steps()
    room_of(monkeypatch, 2 * one - 1)
    with pytest.raises(NoRoom, match=r"MiB are needed in .*imports, \d+ MiB are free: .*--state"):
        import_model(state_dir, file, options, ENGINES, steps)
    assert steps.told == []
    assert [p.name for p in (state_dir.registry / "imports").iterdir() if p.suffix != ".lock"] == []
    room_of(monkeypatch, 2 * one)
    dying = killed_when("copying", 0)
    assert in_child(lambda: import_model(state_dir, file, options, ENGINES, dying)) == -signal.SIGKILL
    room_of(monkeypatch, one + HEADER)  # what was converted is there
    assert import_model(state_dir, file, options, ENGINES, silent).manifest.version == "t1"


@pytest.mark.parametrize(
    ("stage", "at"), [("dequantising", 0), ("dequantising", 1), ("copying", 0), ("fingerprint", 0)]
)
def test_a_conversion_that_is_killed_goes_on_and_is_whole(
    state_dir: StateDir, file: Path, stage: str, at: float
) -> None:
    def work() -> None:
        import_model(state_dir, file, ImportOptions("teacher"), ENGINES, killed_when(stage, at))

    assert in_child(work) == -signal.SIGKILL
    assert Registry(state_dir).versions() == []
    found = import_model(state_dir, file, ImportOptions("teacher"), ENGINES, silent).manifest
    assert Registry(state_dir).verify(found.version).note == "dequantised from Q8_0"
    assert [p.name for p in (state_dir.registry / "imports").iterdir() if p.suffix != ".lock"] == []
