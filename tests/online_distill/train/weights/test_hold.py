"""How far hidden states have strayed: nothing at the parent, padding aside, and a loss that holds them back."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from online_distill import models
from online_distill.train.weights.hold import Hold

TOKENS = torch.tensor([[7, 8, 9, 10, 11], [12, 13, 14, 0, 0]])


def test_states_stray_with_the_weights_and_not_at_the_parent(student: Path) -> None:
    model = models.load(student)
    hold = Hold(model, 1.0)
    assert hold.strayed(models.layer_states(model, TOKENS), TOKENS, [5, 3]).item() == 0.0
    with torch.no_grad():
        model.get_input_embeddings().weight.mul_(1.1)
    near = hold.strayed(models.layer_states(model, TOKENS), TOKENS, [5, 3])
    with torch.no_grad():
        model.get_input_embeddings().weight.mul_(1.1)
    far = hold.strayed(models.layer_states(model, TOKENS), TOKENS, [5, 3])
    assert 0.0 < near.item() < far.item()


def test_it_is_the_mean_over_layers_of_squared_distance_by_squared_length_of_what_is_no_padding(student: Path) -> None:
    model = models.load(student)
    hold, lengths = Hold(model, 1.0), [5, 3]
    wanted = models.layer_states(model, TOKENS)
    states = [2 * layer if n == 0 else layer.clone() for n, layer in enumerate(wanted)]
    assert hold.strayed(states, TOKENS, lengths).item() == pytest.approx(1 / len(wanted))
    states[0][1, 3:] = 1e3
    assert hold.strayed(states, TOKENS, lengths).item() == pytest.approx(1 / len(wanted))


def test_the_last_states_are_those_before_the_head(student: Path) -> None:
    model = models.load(student)
    torch.testing.assert_close(models.layer_states(model, TOKENS)[-1], models.hidden_states(model, TOKENS))
