"""A trainer's configuration, its registry and a pool to learn from."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml

from understudy.state import StateDir

SETTINGS = {
    "budget_seconds": 20, "max_epochs": 2, "batch_tokens": 256, "min_fresh": 30, "scorer": "local", "device": "cpu",
    "learning_rate": 0.003, "holdout_share": 0.25, "poll_seconds": 0.1, "warmup_steps": 1, "nice": 0,
    "reserved_clusters": 0,
}  # fmt: skip

GATE = {"on_few": "go", "safety_prompts": 20}


@pytest.fixture
def state_dir(registered: Path, tmp_path: Path) -> StateDir:
    """A state directory whose registry holds t1 and v1."""
    return StateDir(shutil.copytree(registered, tmp_path / "state"))


@pytest.fixture
def config_file(tmp_path: Path, redis_url: str) -> Path:
    """A configuration of quick rounds with a local teacher, in which few prompts ought to be refused."""
    path = tmp_path / "understudy.yaml"
    path.write_text(yaml.safe_dump({"redis": {"url": redis_url}, "trainer": SETTINGS, "gate": GATE}))
    return path


@pytest.fixture(autouse=True)
def yielded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The nice values that commands run within this process asked for: it keeps its own for the tests after them."""
    asked: list[int] = []
    for module in ("main", "repeat", "attribution.commands"):
        monkeypatch.setattr(f"online_distill.role.{module}.yield_cpu", asked.append)
    return asked
