"""What serving a model takes: weights, key-value cache and the engine's own share, from the files alone. No torch."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from serving.engine.config import EnginesConfig
from serving.engine.inside.layout import LayoutError, read_layout

MIB = 1 << 20
BASE_BYTES = {"fork": 700 * MIB, "plain": 1500 * MIB}
"""Of an engine beside weights and cache, measured with vLLM 0.32 on a CPU."""
WIDTH = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2}
SERVED = {"float32": 4, "bfloat16": 2, "float16": 2}


@dataclass(frozen=True, slots=True)
class ModelShape:
    """What the size of an engine depends on: numbers in the weights, their stored bytes, and of the cache by token."""

    weights: int
    stored: int
    cached: int
    """Numbers that the key-value cache keeps for each token."""
    longest: int
    """Tokens of the longest text that the model was made for; 0: config.json does not say."""


@dataclass(frozen=True, slots=True)
class EngineSize:
    """Memory of one engine in bytes."""

    weights: int
    loading: int
    """A second copy, while an engine repacks them at its start or a version is loaded in place."""
    kv_cache: int
    overhead: int
    token: int
    """Of the key-value cache for one token."""

    @property
    def total(self) -> int:
        """All of it."""
        return self.weights + self.loading + self.kv_cache + self.overhead

    @property
    def cached_tokens(self) -> int:
        """Tokens that the key-value cache holds at once."""
        return self.kv_cache // self.token if self.token else 0


def shape_of(folder: Path) -> ModelShape:
    """The shape of a version's folder.

    Raises:
        LayoutError: its weights or its config.json cannot be read.
    """
    sizes = [(math.prod(tensor.shape), WIDTH.get(tensor.dtype, 4)) for tensor in read_layout(folder).values()]
    try:
        settings = json.loads((folder / "config.json").read_bytes())
    except (OSError, ValueError) as error:
        raise LayoutError(f"{folder / 'config.json'} cannot be read: {error}") from None
    return described(settings, sum(n for n, _ in sizes), sum(n * width for n, width in sizes))


def described(settings: Mapping[str, Any], weights: int, stored: int) -> ModelShape:
    """The shape that config.json and the number of weights give."""
    inner = settings.get("text_config") or settings
    heads = int(inner.get("num_attention_heads") or 1)
    width = int(inner.get("head_dim") or int(inner.get("hidden_size") or 0) // heads)
    kept = int(inner.get("num_key_value_heads") or heads)
    cached = 2 * int(inner.get("num_hidden_layers") or 0) * kept * width
    return ModelShape(weights, stored, cached, int(inner.get("max_position_embeddings") or 0))


def engine_size(shape: ModelShape, config: EnginesConfig, *, forked: bool) -> EngineSize:
    """What an engine of a model of `shape` takes; in the type it is served in, `auto` on a CPU being float32."""
    dtype = "float32" if config.dtype == "auto" and config.on_cpu else config.dtype
    width = SERVED.get(dtype) or max(1, round(shape.stored / max(1, shape.weights)))
    weights = shape.weights * width
    base = BASE_BYTES["fork" if forked else "plain"]
    return EngineSize(weights, weights if config.on_cpu else 0, config.kv_cache_bytes, base, shape.cached * width)


def cache_too_small(size: EngineSize, config: EnginesConfig) -> str | None:
    """Why the key-value cache cannot hold one text of `engines.max_model_len`; None: it can."""
    if not config.on_cpu or not size.token or size.cached_tokens >= config.max_model_len:
        return None
    needed = config.max_model_len * size.token
    return (
        f"a key-value cache of {size.kv_cache // MIB} MiB holds {size.cached_tokens} tokens of it, fewer than "
        f"engines.max_model_len ({config.max_model_len}): set engines.kv_cache_bytes to {needed} or more, or lower "
        f"engines.max_model_len"
    )


def text_too_long(shape: ModelShape, config: EnginesConfig) -> str | None:
    """Why vLLM would not start with `engines.max_model_len`; None: the model was made for texts of that length."""
    if not shape.longest or shape.longest >= config.max_model_len:
        return None
    return f"it was made for texts of {shape.longest} tokens: set engines.max_model_len to that or less"
