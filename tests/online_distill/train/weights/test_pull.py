"""The pull towards the parent: by strength times rate, and none at all without a strength."""

from __future__ import annotations

import torch

from online_distill.train.weights.pull import Pull


def moved(strength: float, rate: float) -> torch.Tensor:
    """Where weights of 3 stand after a pull, of a parent of 1."""
    model = torch.nn.Linear(2, 1, bias=False)
    torch.nn.init.constant_(model.weight, 1.0)
    pull = Pull(model, strength)
    torch.nn.init.constant_(model.weight, 3.0)
    pull.apply(rate)
    return model.weight.detach()


def test_weights_go_back_by_strength_times_rate() -> None:
    torch.testing.assert_close(moved(10.0, 0.01), torch.full((1, 2), 2.8))


def test_no_strength_changes_nothing_and_a_great_one_stops_at_the_parent() -> None:
    assert torch.equal(moved(0.0, 1.0), torch.full((1, 2), 3.0))
    assert torch.equal(moved(1e6, 1.0), torch.full((1, 2), 1.0))
