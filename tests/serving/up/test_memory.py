"""Engines that cannot fit are found before anything starts, by the versions that will be loaded."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from deploy.life.config import RolloutConfig
from deploy.life.kept.store import RolloutFiles
from deploy.life.state import ControlState
from deploy.registry.store import Registry
from deploy.routing.document import SLOTS
from serving.engine.config import EnginesConfig
from serving.up.memory import too_large, versions_to_load
from serving.up.preflight import NotReady, require
from understudy.config import Config
from understudy.state import StateDir

ROOT = Path(__file__).resolve().parents[3]
ENGINES = EnginesConfig(device="cpu")


@pytest.fixture
def filled(state_dir: StateDir, tmp_path: Path) -> StateDir:
    """Teachers t1 and t2, students v1 and v2, of the demo."""
    for version, folder in (("t1", "models/teacher"), ("t2", "models/teacher"), ("v1", "registry/students/v1"),
                            ("v2", "registry/students/v2")):  # fmt: skip
        copy = tmp_path / version
        copy.mkdir()
        for name in ("model.safetensors", "config.json"):
            shutil.copy(ROOT / "demo" / folder / name, copy / name)
        kind = "teacher" if version.startswith("t") else "student"
        Registry(state_dir).register(
            copy, kind=kind, parent=None, teacher=None, round=None, lineage={}, metrics={}, version=version
        )
    return state_dir


def loads(state: StateDir, rollout: RolloutConfig | None = None) -> dict[str, str]:
    return {slot: version for slot, (version, _) in versions_to_load(state, SLOTS, rollout or RolloutConfig()).items()}


def test_it_is_the_newest_the_named_or_what_was_decided_before(filled: StateDir) -> None:
    assert loads(filled) == {"teacher": "t2", "student-a": "v2", "student-b": "v2"}
    named = RolloutConfig(first_teacher="t1", first_student="v1")
    assert loads(filled, named) == {"teacher": "t1", "student-a": "v1", "student-b": "v1"}
    decided = ControlState(teacher="t1", stable="v2", slots={"student-a": "v2", "student-b": "v1"})
    RolloutFiles(filled.registry).save(decided)
    assert loads(filled) == {"teacher": "t1", "student-a": "v2", "student-b": "v1"}


def test_three_engines_are_added_up_and_named(filled: StateDir) -> None:
    found = versions_to_load(filled, SLOTS, RolloutConfig())
    assert too_large(found, ENGINES, 16 << 30) == []
    (said,) = too_large(found, ENGINES, 2 << 30)
    assert "t2 in teacher" in said
    assert "v2 in student-b" in said
    assert "2048 MiB are free" in said
    assert too_large(found, EnginesConfig(device="cuda"), 0) == []


def test_nothing_is_started_where_they_do_not_fit(filled: StateDir) -> None:
    config = Config({"engines": {"device": "cpu", "kv_cache_bytes": 1 << 50}, "up": {"min_memory_mib": 1}})
    with pytest.raises(NotReady, match=r"(?s)cannot start:.*the engines need about .* MiB of memory \(t2 in teacher"):
        require(filled, [], config)


def test_texts_longer_than_a_model_or_its_cache_takes_are_named_once_a_version(filled: StateDir) -> None:
    config = EnginesConfig(device="cpu", max_model_len=2048, kv_cache_bytes=1 << 20)
    said = too_large(versions_to_load(filled, SLOTS, RolloutConfig()), config, 16 << 30)
    assert [line.split(":")[0] for line in said] == ["t2", "t2", "v2", "v2"]
    assert "texts of 1024 tokens" in said[0]
    assert "engines.kv_cache_bytes" in said[1]


def test_weights_that_cannot_be_read_are_named(filled: StateDir) -> None:
    (filled.versions / "t2" / "model.safetensors").write_bytes(b"no header")
    (said,) = too_large(versions_to_load(filled, SLOTS, RolloutConfig()), ENGINES, 16 << 30)
    assert said.startswith("t2: ")
