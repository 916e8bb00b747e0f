"""One model in training: its rate, and a checkpoint that survives a kill."""

from pathlib import Path

import pytest
import torch

from demo.training.learner import DemoLearner, rate_factor
from demo.training.rows import Mix

PURE = Mix(seed=3, roles=frozenset({"both"}), rows=2, drift=0.1, real=0.0)


def test_the_rate_warms_up_stays_and_ends_at_nothing() -> None:
    factors = [rate_factor(step, 1000) for step in range(1000)]
    assert factors[0] < 0.05
    assert factors[300] == 1.0
    assert factors[-1] < 0.01
    assert factors[600:] == sorted(factors[600:], reverse=True)


def test_a_run_continues_from_its_checkpoint_with_the_same_losses(words, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(torch, "compile", lambda module, **_: module)
    whole = DemoLearner("student", words, 1e-3, PURE, tmp_path / "a.pt")
    losses = [whole.advance(10)[0] for _ in range(4)]
    assert whole.step == 4
    part = DemoLearner("student", words, 1e-3, PURE, tmp_path / "b.pt")
    for _ in range(2):
        part.advance(10)
    part.save()
    resumed = DemoLearner("student", words, 1e-3, PURE, tmp_path / "b.pt")
    assert resumed.step == 2
    assert [resumed.advance(10)[0] for _ in range(2)] == pytest.approx(losses[2:], abs=1e-3)
