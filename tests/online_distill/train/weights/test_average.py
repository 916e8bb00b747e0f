"""The average of the weights: by its decay, less at first, and nothing without one."""

from __future__ import annotations

import pytest
import torch

from online_distill.train.weights.average import Average


def model_of(value: float) -> torch.nn.Linear:
    model = torch.nn.Linear(1, 1, bias=False)
    torch.nn.init.constant_(model.weight, value)
    return model


def test_the_average_follows_the_weights_by_its_decay() -> None:
    model = model_of(0.0)
    average = Average(model, 0.5)
    torch.nn.init.constant_(model.weight, 1.0)
    found = []
    for _ in range(12):
        average.update()
        found.append(float(average.weights()["weight"]))
    assert found[0] == pytest.approx(0.9)  # a tenth is kept at the first step
    assert 1 - found[11] == pytest.approx((1 - found[10]) * 0.5, rel=1e-3)


def test_without_a_decay_it_keeps_nothing() -> None:
    average = Average(model_of(2.0), 0.0)
    average.update()
    assert (average.weights(), average.state()) == ({}, None)


def test_a_state_is_gone_on_with() -> None:
    one, other = Average(model_of(1.0), 0.9), Average(model_of(3.0), 0.9)
    one.update()
    other.load_state(one.state())
    assert float(other.weights()["weight"]) == float(one.weights()["weight"])
    assert other.state() == one.state()
