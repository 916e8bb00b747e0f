"""Models that tests only read, made once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.online_distill.world import make_model


@pytest.fixture(scope="session")
def teacher_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random model in the part of the teacher. Not to be written to."""
    return make_model(tmp_path_factory.mktemp("models") / "teacher", seed=1)


@pytest.fixture(scope="session")
def student(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Another random model, in the part of a student. Not to be written to."""
    return make_model(tmp_path_factory.mktemp("models") / "student", seed=2)
