"""A model folder looked at from all sides before a byte of it is copied."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from onboard.checks import architecture, tokens, weights
from onboard.source.files import SourceFiles, look
from onboard.source.settings import ModelSettings, settings, template_of, text
from onboard.source.tensors import WIDTHS, TensorPlace, places
from onboard.write.numbers import NAMES
from onboard.write.streaming import PlannedTensor
from serving.engine.sizes import ModelShape, described


@dataclass(frozen=True, slots=True)
class Examined:
    """A folder that may be imported; `kept` and `left` are names of tensors, `unties` whether the head gets its own."""

    source: SourceFiles
    settings: ModelSettings
    architecture: str
    places: dict[str, TensorPlace]
    kept: list[str]
    left: list[str]
    shared_head: str | None
    """The embeddings that the head shares; None: it has weights of its own."""
    unties: bool
    renamed: bool
    """Whether transformers computes under other names than the files have."""
    template: str
    tokens: tokens.TokenFacts

    @property
    def layers(self) -> int:
        """Blocks of the model."""
        return int(text(self.settings).get("num_hidden_layers") or 0)

    @property
    def shape(self) -> ModelShape:
        """What its engines' size depends on, once it is imported."""
        written = [tensor for file in planned(self, "keep").values() for tensor in file]
        return described(self.settings, sum(t.place.elements for t in written), sum(t.size for t in written))

    @property
    def dtypes(self) -> tuple[str, ...]:
        """Types of its numbers."""
        return tuple(sorted({self.places[name].dtype for name in self.kept}))


def examine(folder: Path, template: Path | None = None) -> Examined:
    """Look at everything but the numbers themselves.

    Raises:
        ModelRefused: it cannot be served or taught here, with the reason and the nearest thing that works.
    """
    source = look(folder)
    found = settings(source)
    name = architecture.require_known(found)
    tensors = places(source)
    wanted = weights.expected(folder)
    kept, left = weights.compare(wanted, tensors)
    chat = template_of(source, template)
    known = tokens.examine(folder, chat, weights.rows_of_embedding(wanted))
    shared = wanted.tied.get(weights.HEAD)
    return Examined(
        source, found, name, tensors, kept, left, shared, shared is not None and architecture.unties(name),
        wanted.renamed, chat or "", known,
    )  # fmt: skip


def planned(model: Examined, dtype: str) -> dict[str, list[PlannedTensor]]:
    """Tensors to write by file: those of the source under their names, and the head where it becomes one of its own.

    `dtype` is keep, float32, bfloat16 or float16; numbers of 64 bits are never kept.
    """
    files: dict[str, list[PlannedTensor]] = {}
    for name in model.kept:
        place = model.places[name]
        kind = NAMES.get(dtype) or ("F32" if WIDTHS[place.dtype] > WIDTHS["F32"] else place.dtype)
        tensor = PlannedTensor(name, place, kind)
        files.setdefault(place.file.name, []).append(tensor)
        if model.unties and name == model.shared_head:
            files[place.file.name].append(PlannedTensor(weights.HEAD, place, kind))
    return files
