"""What an engine takes, from the files alone, against the numbers of a model that is known."""

from __future__ import annotations

from pathlib import Path

import pytest

from serving.engine.config import EnginesConfig
from serving.engine.inside.layout import LayoutError
from serving.engine.sizes import MIB, cache_too_small, described, engine_size, shape_of

TEACHER = Path(__file__).resolve().parents[3] / "demo" / "models" / "teacher"
SMOL = {
    "num_hidden_layers": 30, "num_attention_heads": 9, "num_key_value_heads": 3, "hidden_size": 576,
    "max_position_embeddings": 8192,
}  # fmt: skip


def test_the_shape_of_a_folder_is_what_its_files_hold() -> None:
    shape = shape_of(TEACHER)
    weights = (TEACHER / "model.safetensors").stat().st_size
    assert shape.stored == pytest.approx(weights, rel=0.01)
    assert shape.weights * 2 == shape.stored
    assert shape.cached == 2 * 8 * 4 * 64
    with pytest.raises(LayoutError):
        shape_of(TEACHER.parent)


def test_weights_and_cache_are_as_wide_as_they_are_served() -> None:
    shape = described(SMOL, 162_826_560, 2 * 162_826_560)
    wide = engine_size(shape, EnginesConfig(device="cpu"), forked=True)
    narrow = engine_size(shape, EnginesConfig(device="cpu", dtype="bfloat16"), forked=True)
    assert wide.weights == 2 * narrow.weights == 4 * 162_826_560
    assert narrow.token == 2 * 30 * 3 * 64 * 2
    assert narrow.cached_tokens == (256 * MIB) // narrow.token
    assert wide.total == wide.weights + wide.loading + wide.kv_cache + wide.overhead
    assert engine_size(shape, EnginesConfig(device="cpu"), forked=False).overhead > wide.overhead


def test_a_language_model_inside_another_is_described_by_its_own_settings() -> None:
    assert described({"text_config": SMOL}, 1, 2) == described(SMOL, 1, 2)


def test_a_cache_too_small_for_one_text_names_what_is_enough() -> None:
    shape = described(SMOL, 162_826_560, 2 * 162_826_560)
    config = EnginesConfig(device="cpu", kv_cache_bytes=16 << 20, max_model_len=4096)
    size = engine_size(shape, config, forked=True)
    why = cache_too_small(size, config)
    assert why is not None
    enough = 4096 * size.token
    assert str(enough) in why
    fits = config.model_copy(update={"kv_cache_bytes": enough})
    assert cache_too_small(engine_size(shape, fits, forked=True), fits) is None
