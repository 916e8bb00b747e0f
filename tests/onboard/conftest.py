"""Models to import, made once; whoever changes one copies it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from serving.engine.config import EnginesConfig
from tests.onboard.models import tiny

ENGINES = EnginesConfig(device="cpu")


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tied llama of six layers in one file."""
    return tiny(tmp_path_factory.mktemp("made") / "llama")


@pytest.fixture
def model(made: Path, tmp_path: Path) -> Path:
    """A copy that a test may spoil."""
    return Path(shutil.copytree(made, tmp_path / "model"))
