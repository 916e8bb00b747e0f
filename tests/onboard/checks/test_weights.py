"""Tensors against what config.json describes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from onboard.checks.weights import compare, expected, rows_of_embedding
from onboard.refusal import ModelRefused
from onboard.source.files import look
from onboard.source.tensors import places
from tests.onboard.models import ROWS, change_settings

Tensors = dict[str, torch.Tensor]


def changed(folder: Path, change: Callable[[Tensors], object]) -> None:
    tensors = load_file(folder / "model.safetensors")
    change(tensors)
    save_file(tensors, folder / "model.safetensors")


def found(folder: Path) -> tuple[list[str], list[str]]:
    return compare(expected(folder), places(look(folder)))


def test_a_tied_model_is_whole_without_a_head(model: Path) -> None:
    kept, left = found(model)
    assert left == []
    assert "lm_head.weight" not in kept
    assert rows_of_embedding(expected(model)) == ROWS


def test_a_missing_tensor_is_named(model: Path) -> None:
    changed(model, lambda t: t.pop("model.layers.3.mlp.up_proj.weight"))
    with pytest.raises(ModelRefused, match=r"model\.layers\.3\.mlp\.up_proj\.weight is missing"):
        found(model)


def test_a_head_that_is_missing_points_to_the_setting(model: Path) -> None:
    change_settings(model, tie_word_embeddings=False)
    with pytest.raises(ModelRefused, match=r"lm_head\.weight is missing.*tie_word_embeddings"):
        found(model)


def test_another_shape_and_an_unknown_tensor_are_named(model: Path) -> None:
    changed(model, lambda t: t.update({"model.norm.weight": torch.ones(32)}))
    with pytest.raises(ModelRefused, match=r"model\.norm\.weight has shape \[32\], config\.json means \[64\]"):
        found(model)
    changed(model, lambda t: t.update({"model.norm.weight": torch.ones(64), "model.extra.weight": torch.ones(1)}))
    with pytest.raises(ModelRefused, match=r"no tensor model\.extra\.weight"):
        found(model)


def test_what_is_packed_is_refused_and_derived_buffers_are_left_out(model: Path) -> None:
    changed(model, lambda t: t.update({"model.layers.0.self_attn.rotary_emb.inv_freq": torch.ones(16)}))
    assert found(model)[1] == ["model.layers.0.self_attn.rotary_emb.inv_freq"]
    changed(model, lambda t: t.update({"model.norm.weight": torch.ones(64, dtype=torch.int8)}))
    with pytest.raises(ModelRefused, match="type I8"):
        found(model)


def test_a_copy_of_tied_embeddings_is_left_out(model: Path) -> None:
    changed(model, lambda t: t.update({"lm_head.weight": t["model.embed_tokens.weight"].clone()}))
    assert found(model)[1] == ["lm_head.weight"]


def test_settings_that_make_no_model_are_refused(model: Path) -> None:
    change_settings(model, num_attention_heads=0)
    with pytest.raises(ModelRefused, match="cannot build"):
        expected(model)
