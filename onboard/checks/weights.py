"""Whether a folder holds the tensors that its config.json describes: asked of transformers, without any memory."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from onboard.refusal import ModelRefused
from onboard.source.tensors import WIDTHS, Shape, TensorPlace

HEAD = "lm_head.weight"
DERIVED = (r"rotary_emb\.inv_freq$", r"attn\.(masked_)?bias$", r"position_ids$")
"""Buffers that older checkpoints carry and that every library computes."""


@dataclass(frozen=True, slots=True)
class Expected:
    """Shapes by name, names that share another's weights, and patterns of what may lie beside."""

    shapes: dict[str, Shape]
    tied: dict[str, str]
    beside: tuple[str, ...]
    renamed: bool
    """Whether transformers stores this architecture under other names than it computes with."""


def expected(folder: Path) -> Expected:
    """What the config.json of `folder` describes.

    Raises:
        ModelRefused: transformers cannot build such a model.
    """
    from transformers import AutoConfig  # house: allow heavy-import, by its own library

    place = folder / "config.json"
    try:
        config = AutoConfig.from_pretrained(str(folder), trust_remote_code=False)
    except Exception as error:  # a wrong setting ends in whatever the architecture's code runs into
        raise _unbuildable(place, error) from None
    return built(config, place)


def built(config: Any, place: Path) -> Expected:
    """What a configuration of transformers, read from the file `place`, describes.

    Raises:
        ModelRefused: transformers cannot build such a model.
    """
    import torch  # house: allow heavy-import, by its own library
    from transformers import AutoModelForCausalLM  # house: allow heavy-import, by its own library
    from transformers.conversion_mapping import (  # house: allow heavy-import, by its own library
        get_checkpoint_conversion_mapping,
    )

    try:
        with torch.device("meta"):
            model: Any = AutoModelForCausalLM.from_config(config, trust_remote_code=False)
    except Exception as error:  # as above
        raise _unbuildable(place, error) from None
    shapes = {name: tuple(value.shape) for name, value in model.state_dict().items()}
    keys = getattr(model, "_tied_weights_keys", None)
    tied = dict(keys) if isinstance(keys, Mapping) and config.get_text_config().tie_word_embeddings else {}
    beside = (*DERIVED, *(getattr(model, "_keys_to_ignore_on_load_unexpected", None) or ()))
    return Expected(shapes, tied, beside, bool(get_checkpoint_conversion_mapping(config.model_type)))


def _unbuildable(place: Path, error: Exception) -> ModelRefused:
    return ModelRefused(
        f"transformers cannot build the model that {place} describes ({type(error).__name__}: {error}): "
        "take the publisher's file"
    )


def compare(wanted: Expected, found: Mapping[str, TensorPlace]) -> tuple[list[str], list[str]]:
    """Names to keep, in the order of their bytes, and names to leave out.

    Raises:
        ModelRefused: a tensor is missing, unknown, of another shape or of no floating-point type.
    """
    order = sorted(found, key=lambda name: (found[name].file.name, found[name].start))
    left = [name for name in order if any(re.search(pattern, name) for pattern in wanted.beside)]
    left += [name for name in wanted.tied if name in found and wanted.tied[name] in found]
    keep = [name for name in order if name not in set(left)]
    for name in keep:
        if found[name].dtype not in WIDTHS:
            raise ModelRefused(
                f"{name} has type {found[name].dtype}; floating point is needed: take the publisher's folder in bf16"
            )
    if not wanted.renamed:
        _require_names(wanted, found, keep)
    return keep, left


def _require_names(wanted: Expected, found: Mapping[str, TensorPlace], keep: list[str]) -> None:
    missing = sorted(wanted.shapes.keys() - set(keep) - wanted.tied.keys())
    if missing:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        hint = "fetch the missing shard"
        if missing == [HEAD]:
            hint = "where its head shares the embeddings, config.json must say `tie_word_embeddings: true`"
        raise ModelRefused(f"the tensor {missing[0]}{more} is missing: {hint}")
    unknown = sorted(set(keep) - wanted.shapes.keys())
    if unknown:
        raise ModelRefused(
            f"config.json knows no tensor {unknown[0]} ({len(unknown)} such): take the config.json of these weights"
        )
    for name in keep:
        if found[name].shape != wanted.shapes[name]:
            raise ModelRefused(
                f"{name} has shape {list(found[name].shape)}, config.json means {list(wanted.shapes[name])}: "
                "take the config.json of these weights"
            )


def rows_of_embedding(wanted: Expected) -> int:
    """Entries of the vocabulary for which there are weights."""
    names = [
        name for name in wanted.shapes if name.endswith(("embed_tokens.weight", "wte.weight", "word_embeddings.weight"))
    ]
    return wanted.shapes[names[0]][0] if names else 0
