"""The distil loop: exact after kill -9, weights applied once, divergence noticed."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from online_distill.teacher.targets import Scored, TopK, load_all, save_shard
from online_distill.train.distil import CHECKPOINT, distil, revised
from online_distill.train.learner import PATIENCE, Diverged, Learner
from online_distill.train.order import epoch_batches, steps_from
from tests.online_distill.world import make_model, quick_config

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
distil(folder, parent, load_all(shards), quick_config(max_epochs=8, checkpoint_seconds=0.02), 60.0)
"""


def random_targets(n: int, seed: int = 0, weight: float = 1.0, k: int = 4) -> list[Scored]:
    """Texts of random tokens with random targets."""
    rng = np.random.default_rng(seed)
    found = []
    for index in range(n):
        length, start = int(rng.integers(12, 40)), int(rng.integers(4, 10))
        ids = np.stack([rng.choice(4096, k, replace=False) for _ in range(length - start)]).astype(np.int32)
        logprobs = np.log(rng.dirichlet(np.ones(k + 1), length - start)[:, :k]).astype(np.float32)
        tokens = rng.integers(6, 4096, length).astype(np.int32)
        found.append(Scored(f"{seed}/{index}", tokens, start, weight, TopK(ids, logprobs)))
    return found


def weights_digest(checkpoint: Path) -> str:
    """SHA-256 over all weights and the trajectory's chain."""
    state = torch.load(checkpoint, weights_only=True)
    sha = hashlib.sha256(state["chain"].encode())
    for name in sorted(state["model"]):
        sha.update(state["model"][name].numpy().tobytes())
    return sha.hexdigest()


def test_a_killed_run_ends_with_the_same_bits(tmp_path: Path) -> None:
    parent = make_model(tmp_path / "parent", seed=1)
    shards, killed, whole = tmp_path / "shards", tmp_path / "killed", tmp_path / "whole"
    for folder in (shards, killed, whole):
        folder.mkdir()
    save_shard(shards / "shard-00001.npz", random_targets(60))
    command = [sys.executable, "-c", RUN, str(killed), str(parent), str(shards)]
    ended = subprocess.run(command, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}, check=False)
    assert ended.returncode == -signal.SIGKILL
    assert 0 < torch.load(killed / CHECKPOINT, weights_only=True)["done"] <= 30
    (whole / "plan.json").write_bytes((killed / "plan.json").read_bytes())
    config, items = quick_config(max_epochs=8, checkpoint_seconds=0.02), load_all(shards)
    _, resumed = distil(killed, parent, items, config, 60.0)
    _, straight = distil(whole, parent, items, config, 60.0)
    assert resumed["resumed"] is True
    assert straight["resumed"] is False
    assert resumed["chain"] == straight["chain"]
    assert weights_digest(killed / CHECKPOINT) == weights_digest(whole / CHECKPOINT)


def test_the_number_of_steps_follows_the_pace() -> None:
    assert revised(done=20, steps=100, spent=40.0, seconds=100.0, least=10, most=500) == 50
    assert revised(done=20, steps=100, spent=20.4, seconds=100.0, least=10, most=500) == 100
    assert revised(done=20, steps=100, spent=2.0, seconds=100.0, least=10, most=500) == 500
    assert revised(done=20, steps=100, spent=200.0, seconds=100.0, least=24, most=500) == 24
    assert revised(done=30, steps=100, spent=200.0, seconds=100.0, least=24, most=500) == 31


def test_other_targets_do_not_resume_a_checkpoint(tmp_path: Path) -> None:
    parent = make_model(tmp_path / "parent", seed=1)
    config = quick_config(max_epochs=1)
    distil(tmp_path, parent, random_targets(20), config, 10.0)
    _, summary = distil(tmp_path, parent, random_targets(20, seed=5), config, 10.0)
    assert summary["resumed"] is False


def test_a_weight_of_three_counts_three_times_and_once(tmp_path: Path) -> None:
    learner = Learner(make_model(tmp_path / "m", seed=1), quick_config(), 10, mean_weight=1.0)
    light, heavy = random_targets(1, weight=1.0)[0], random_targets(1, weight=3.0)[0]
    one, nats, tokens = learner.loss([light])
    three, same, _ = learner.loss([heavy])
    assert three.item() == pytest.approx(3 * one.item(), rel=1e-5)
    assert nats == same
    assert tokens == len(light.tokens) - light.start
    both, _, _ = learner.loss([light, heavy])
    assert both.item() == pytest.approx(2 * one.item(), rel=2e-2)


def test_gradients_that_are_no_numbers_change_nothing_and_end_the_run(tmp_path: Path) -> None:
    learner = Learner(make_model(tmp_path / "m", seed=1), quick_config(), 10, mean_weight=1.0)
    before = {name: value.clone() for name, value in learner.model.state_dict().items()}
    item = random_targets(1)[0]
    broken = Scored(item.key, item.tokens, item.start, float("nan"), item.top)
    assert learner.step([broken]).skipped
    assert all(torch.equal(value, before[name]) for name, value in learner.model.state_dict().items())
    for _ in range(PATIENCE - 2):
        learner.step([broken])
    with pytest.raises(Diverged, match="learning_rate"):
        learner.step([broken])


def test_targets_survive_the_disk_and_a_key_counts_once(tmp_path: Path) -> None:
    items = random_targets(5)
    save_shard(tmp_path / "shard-00001.npz", items[:3])
    save_shard(tmp_path / "shard-00002.npz", items[2:])
    found = load_all(tmp_path)
    assert [item.key for item in found] == [item.key for item in items]
    for ours, theirs in zip(found, items, strict=True):
        np.testing.assert_array_equal(ours.tokens, theirs.tokens)
        np.testing.assert_array_equal(ours.top.ids, theirs.top.ids)
        np.testing.assert_array_equal(ours.top.logprobs, theirs.top.logprobs)
        assert (ours.start, ours.weight) == (theirs.start, theirs.weight)


def test_an_epoch_holds_each_sample_once_and_a_later_start_gives_the_same_steps() -> None:
    lengths = [10 + i % 37 for i in range(100)]
    batches = epoch_batches(lengths, 256, seed=3, epoch=0)
    assert sorted(i for batch in batches for i in batch) == list(range(100))
    assert batches != epoch_batches(lengths, 256, seed=3, epoch=1)
    steps = steps_from(lengths, 256, seed=3)
    first = [next(steps) for _ in range(60)]
    later = steps_from(lengths, 256, seed=3, first=40)
    assert [next(later) for _ in range(20)] == first[40:]
