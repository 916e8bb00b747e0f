"""Which form a model has, and what was made of it is made once."""

from __future__ import annotations

import signal
from pathlib import Path

import gguf as library
import pytest

from deploy.registry.store import Registry
from onboard.convert.converting import folder_of, form
from onboard.importing import ImportOptions, import_model
from onboard.refusal import ModelRefused
from tests.onboard import ggufs
from tests.onboard.conftest import ENGINES
from tests.onboard.stages import in_child, killed_when, silent
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
