"""What a model will be as a version, whatever its form, told before a byte of it is written."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from onboard.checks import architecture, tokens, weights
from onboard.convert import adapters, converting, gguf
from onboard.examine import Examined, examine
from onboard.source.files import look
from onboard.source.settings import template_file
from onboard.source.tensors import WIDTHS
from onboard.write.numbers import NAMES
from serving.engine.sizes import ModelShape, described

PACKED = 2
"""Bytes of a weight that was quantised, once it is a number again."""


@dataclass(frozen=True, slots=True)
class ForeseenModel:
    """A model that may be imported; `examined` is the folder that will be copied, None where one is made first."""

    form: str
    place: Path
    """The folder or file."""
    architecture: str
    layers: int
    numbers: tuple[str, ...]
    shape: ModelShape
    tokens: tokens.TokenFacts
    shared_head: bool
    """Whether its head shares the embeddings."""
    renamed: bool
    """Whether transformers computes under other names than the files have."""
    conversion: int
    """Bytes of memory that making a folder of it takes."""
    examined: Examined | None

    @property
    def tied(self) -> str | None:
        """Why its head must go on sharing the embeddings; None: it has, or gets, weights of its own."""
        return architecture.tied(self.architecture, shares_head=self.shared_head)

    @property
    def untaught(self) -> str | None:
        """Why it cannot be a student; None: it can."""
        return architecture.untaught(self.architecture, shares_head=self.shared_head, renamed=self.renamed)

    def written(self, dtype: str) -> tuple[int, int]:
        """Bytes of the weights of the folder that is made of it, and of the version; a head of its own in both."""
        stored = max(WIDTHS.get(name, PACKED) for name in self.numbers)
        asked = stored if dtype == "keep" else WIDTHS[NAMES[dtype]]
        return self.shape.weights * (asked if self.form == "gguf" else stored), self.shape.weights * asked


def foresee(path: Path, base: Path | None, template: Path | None) -> ForeseenModel:
    """Look at the model at `path` from all sides: of an adapter, at the model that it belongs to.

    Raises:
        ModelRefused: it cannot be served here, with the reason and the nearest thing that works.
    """
    form = converting.form(path)
    if form == "gguf":
        return _gguf(converting.gguf_file(path), template)
    if form == "safetensors":
        model = examine(path, template)
        return _examined(form, path, model, 0, model)
    adapters.require_lora(look(path))
    model = examine(adapters.base_of(path, base), template)
    plain = sum(place.elements for place in model.places.values())
    return _examined(form, path, model, plain * adapters.BYTES_BY_WEIGHT, None)


def _examined(form: str, path: Path, model: Examined, conversion: int, copied: Examined | None) -> ForeseenModel:
    return ForeseenModel(
        form, path, model.architecture, model.layers, model.dtypes, model.shape, model.tokens,
        model.shared_head is not None, model.renamed, conversion, copied,
    )  # fmt: skip


def _gguf(file: Path, template: Path | None) -> ForeseenModel:
    found = gguf.read(file)
    config = gguf.config_of(found)
    settings = config.to_dict()
    name = architecture.require_known(settings)
    wanted = weights.built(config, file)
    tokenizer = gguf.tokenizer_of(found)
    chat = template_file(template) if template is not None else tokenizer.chat_template
    known = tokens.facts(tokenizer, chat, weights.rows_of_embedding(wanted), file)
    shared = wanted.tied.get(weights.HEAD)
    untied = math.prod(wanted.shapes[shared]) if shared is not None and architecture.unties(name) else 0
    count = found.weights + untied
    note = f"dequantised from {found.quantisation}" if found.quantised else "kept"
    return ForeseenModel(
        "gguf", file, name, int(config.get_text_config().num_hidden_layers), (found.quantisation, note),
        described(settings, count, 2 * count), known, shared is not None, wanted.renamed,
        found.weights * gguf.BYTES_BY_WEIGHT, None,
    )  # fmt: skip
