"""Models to import, made once; whoever changes one copies it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from onboard.importing import ImportOptions, import_model
from serving.engine.config import EnginesConfig
from tests.onboard.models import tiny
from tests.onboard.stages import silent
from understudy.state import StateDir

ENGINES = EnginesConfig(device="cpu")


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tied llama of six layers in one file."""
    return tiny(tmp_path_factory.mktemp("made") / "llama")


@pytest.fixture
def model(made: Path, tmp_path: Path) -> Path:
    """A copy that a test may spoil."""
    return Path(shutil.copytree(made, tmp_path / "model"))


@pytest.fixture
def both(state_dir: StateDir, made: Path, tmp_path: Path) -> StateDir:
    """Teacher t1 and student v1."""
    import_model(state_dir, made, ImportOptions("teacher"), ENGINES, silent)
    student = tiny(tmp_path / "student", seed=1, layers=2, max_position_embeddings=512)
    import_model(state_dir, student, ImportOptions("student"), ENGINES, silent)
    return state_dir
