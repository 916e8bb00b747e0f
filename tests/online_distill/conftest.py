"""Models, a registry and a finished round that tests only read, made once; and a round of a test's own."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from deploy.registry.store import Registry
from deploy.rounds.store import FileRounds
from feedback.privacy.vault import FOLDER, Vault
from online_distill import models
from online_distill.role.context import Context
from online_distill.role.runner import run_round
from online_distill.teacher.local import LocalScorer
from tests.online_distill.world import make_model, make_samples, quick_config, register_model
from trials.samples import SampleList
from understudy.state import StateDir


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    """One CPU thread, as the trainer has it: more of them only wait for each other on models as small as these."""
    models.prepare(1)


@pytest.fixture(scope="session")
def teacher_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random model in the part of the teacher. Not to be written to."""
    return make_model(tmp_path_factory.mktemp("models") / "teacher", seed=1)


@pytest.fixture(scope="session")
def student(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Another random model, in the part of a student. Not to be written to."""
    return make_model(tmp_path_factory.mktemp("models") / "student", seed=2)


@pytest.fixture(scope="session")
def registered(tmp_path_factory: pytest.TempPathFactory, teacher_folder: Path, student: Path) -> Path:
    """A state directory whose registry holds t1 and v1. To be copied, not to be written to."""
    state = StateDir(tmp_path_factory.mktemp("registered") / "state")
    register_model(Registry(state), teacher_folder, "t1", "teacher")
    register_model(Registry(state), student, "v1", "student")
    return state.root


def begin_round(root: Path) -> Context:
    """A round of quick settings in the state directory `root`, with a local teacher."""
    registry, rounds = Registry(StateDir(root)), FileRounds(StateDir(root))
    source = SampleList(make_samples(60), make_samples(60, start=1000))
    return Context(
        round=rounds.current() or rounds.begin("v1", "t1", "test"), rounds=rounds, registry=registry,
        config=quick_config(), source=source, make_scorer=lambda this: LocalScorer(registry.path(this.teacher)),
        vault=Vault(StateDir(root).spool / FOLDER),
    )  # fmt: skip


@pytest.fixture
def context(registered: Path, tmp_path: Path) -> Context:
    """A round of the test's own that has just begun."""
    return begin_round(shutil.copytree(registered, tmp_path / "state"))


@pytest.fixture(scope="session")
def finished_root(registered: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """State directory of a round that has reached the gate. To be copied, not to be written to."""
    root = shutil.copytree(registered, tmp_path_factory.mktemp("finished") / "state")
    run_round(begin_round(root))
    return root


@pytest.fixture
def finished(finished_root: Path) -> Context:
    """The round that has reached the gate. Not to be written to."""
    return begin_round(finished_root)


@pytest.fixture
def finished_copy(finished_root: Path, tmp_path: Path) -> Context:
    """A copy of the round that has reached the gate, of the test's own."""
    return begin_round(shutil.copytree(finished_root, tmp_path / "state"))
