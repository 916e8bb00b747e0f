"""A folder looked at from all sides."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from onboard.examine import examine, planned
from onboard.refusal import ModelRefused
from tests.onboard.models import ROWS, change_settings, tiny


def test_what_will_be_written_is_what_lies_there_and_the_head(made: Path) -> None:
    model = examine(made)
    (tensors,) = planned(model, "keep").values()
    assert {t.name for t in tensors} == {*model.places, "lm_head.weight"}
    assert {t.dtype for t in tensors} == {"BF16"}
    assert {t.dtype for t in planned(model, "float32")["model.safetensors"]} == {"F32"}
    assert model.shape.weights == sum(p.elements for p in model.places.values()) + ROWS * 64
    assert (model.layers, model.dtypes, model.unties) == (6, ("BF16",), True)


def test_a_head_of_its_own_stays_and_numbers_of_64_bits_are_halved(tmp_path: Path) -> None:
    model = examine(tiny(tmp_path / "wide", dtype=torch.float64, tie_word_embeddings=False))
    (tensors,) = planned(model, "keep").values()
    assert [t.name for t in tensors].count("lm_head.weight") == 1
    assert {t.dtype for t in tensors} == {"F32"}


def test_nothing_is_hidden_by_what_comes_first(model: Path) -> None:
    change_settings(model, vocab_size=300)
    with pytest.raises(ModelRefused, match="shape"):
        examine(model)
    with pytest.raises(ModelRefused, match="is no folder"):
        examine(model / "config.json")
