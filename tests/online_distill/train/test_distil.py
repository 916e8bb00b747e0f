"""The distil loop: exact after kill -9, deaf to how the role behaves, anew by another recipe and says why."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch

from online_distill.teacher.targets import Scored, load_all, save_shard
from online_distill.train.distil import CHECKPOINT, distil
from online_distill.train.pace import Pace
from tests.online_distill.train.targets import random_targets
from tests.online_distill.world import quick_config

RUN = """
import os, signal, sys
from pathlib import Path
from online_distill.train.learner import Learner
from online_distill.train.distil import distil
from online_distill.teacher.targets import load_all
from tests.online_distill.world import quick_config
folder, parent, shards = map(Path, sys.argv[1:])
step = Learner.step
def step_or_die(self, items):
    if self.done == 30:
        os.kill(os.getpid(), signal.SIGKILL)
    return step(self, items)
Learner.step = step_or_die
config = quick_config(max_epochs=8, checkpoint_seconds=0.02)
distil(folder, parent, load_all(shards), config.recipe, config.pace(60.0))
"""
"""A run that is killed in its 31st step."""


def weights_digest(checkpoint: Path) -> str:
    """SHA-256 over all weights and the trajectory's chain."""
    state = torch.load(checkpoint, weights_only=True)
    sha = hashlib.sha256(state["chain"].encode())
    for name in sorted(state["model"]):
        sha.update(state["model"][name].numpy().tobytes())
    return sha.hexdigest()


@dataclass(frozen=True)
class Killed:
    """A run that was killed in its 31st step: its folder, its parent and its targets."""

    folder: Path
    parent: Path
    items: list[Scored]

    def end(self, root: Path, fresh: bool = False, **changes: Any) -> tuple[str, dict[str, Any], list[str]]:
        """Digest of the weights, summary and notes of a copy that goes on; `fresh`: by the plan alone."""
        folder, notes = root / "copy", list[str]()
        shutil.copytree(self.folder, folder)
        if fresh:
            (folder / CHECKPOINT).unlink()
        config = quick_config(**{"max_epochs": 8, "checkpoint_seconds": 0.02, **changes})

        def report(done: float, total: float, note: str) -> None:
            notes.append(note)

        _, summary = distil(folder, self.parent, self.items, config.recipe, config.pace(60.0), report)
        return weights_digest(folder / CHECKPOINT), summary, notes


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory, student: Path) -> Killed:
    root = tmp_path_factory.mktemp("killed")
    shards, folder = root / "shards", root / "folder"
    for made in (shards, folder):
        made.mkdir()
    save_shard(shards / "shard-00001.npz", random_targets(60))
    command = [sys.executable, "-c", RUN, str(folder), str(student), str(shards)]
    ended = subprocess.run(command, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}, check=False)
    assert ended.returncode == -signal.SIGKILL
    assert 0 < torch.load(folder / CHECKPOINT, weights_only=True)["done"] <= 30
    return Killed(folder, student, load_all(shards))


@pytest.fixture(scope="module")
def straight(killed: Killed, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Digest of the same plan's weights when nobody kills it."""
    digest, summary, _ = killed.end(tmp_path_factory.mktemp("straight"), fresh=True)
    assert summary["resumed"] is False
    return digest


def test_a_killed_run_ends_with_the_same_bits(killed: Killed, straight: str, tmp_path: Path) -> None:
    digest, summary, _ = killed.end(tmp_path)
    assert (summary["resumed"], summary["anew"]) == (True, "")
    assert digest == straight


@pytest.mark.parametrize(
    "changes",
    [{"nice": 19}, {"poll_seconds": 9.0}, {"checkpoint_seconds": 5.0}, {"min_fresh": 7, "wait_share": 0.1}],
    ids=str,
)
def test_how_the_role_behaves_may_change_in_the_middle_of_a_run(
    killed: Killed, straight: str, tmp_path: Path, changes: dict[str, Any]
) -> None:
    digest, summary, notes = killed.end(tmp_path, **changes)
    assert (summary["resumed"], summary["anew"]) == (True, "")
    assert digest == straight
    assert not any("anew" in note for note in notes)


def test_another_recipe_begins_anew_and_says_why(killed: Killed, straight: str, tmp_path: Path) -> None:
    digest, summary, notes = killed.end(tmp_path, learning_rate=1e-3, nice=19)
    assert summary["resumed"] is False
    assert summary["anew"] == "trainer.learning_rate is 0.001, was 0.003"
    assert notes[0] == "begins anew: trainer.learning_rate is 0.001, was 0.003"
    assert digest != straight


def test_other_targets_do_not_resume_a_checkpoint(student: Path, tmp_path: Path) -> None:
    recipe = quick_config(max_epochs=1).recipe
    distil(tmp_path, student, random_targets(20), recipe, Pace(seconds=10.0))
    _, summary = distil(tmp_path, student, random_targets(20, seed=5), recipe, Pace(seconds=10.0))
    assert (summary["resumed"], summary["anew"]) == (False, "the targets are others")
