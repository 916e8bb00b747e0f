"""A GGUF file dequantised into a Hugging Face folder by transformers; what it holds is checked before and after."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from onboard.checks import tokens, weights
from onboard.convert import prescribed
from onboard.refusal import ModelRefused
from onboard.source.files import CHUNK, Stamp, stamp
from onboard.source.tensors import Shape
from onboard.write.streaming import Advance
from serving.engine.launch.obstacles import free_bytes

PLAIN = {"F32": "float32", "F16": "float16", "BF16": "bfloat16"}
BYTES_BY_WEIGHT = 8
"""Memory that the conversion takes for each weight at its peak: a float32 of it and what it becomes, with room."""
HEAD = "output.weight"
ROTARY = "rope_"
"""How names begin of tensors that only say what the configuration says, too."""
PARTS = "split.count"
"""How many files the model was cut into, in the metadata of each of them."""
TOKENS = "tokenizer.ggml.tokens"
KNOWN = "a GGUF of llama, qwen2, qwen3 or phi3"


@dataclass(frozen=True, slots=True)
class GgufModel:
    """A readable file: its architecture, how most of its weights are packed, how many there are, its metadata."""

    file: Path
    seen: Stamp
    """The file as it was read."""
    architecture: str
    quantisation: str
    weights: int
    has_head: bool
    """Whether the head has weights of its own."""
    metadata: dict[str, Any]

    @property
    def quantised(self) -> bool:
        """Whether numbers were lost when it was made."""
        return self.quantisation not in PLAIN


def read(file: Path) -> GgufModel:
    """Read metadata and the table of tensors.

    Raises:
        ModelRefused: no GGUF, cut short, one part of several, of an unknown architecture or quantisation, or without a
            tokenizer.
    """
    return _read(file, stamp(file))


@lru_cache(maxsize=1)
def _read(file: Path, seen: Stamp) -> GgufModel:
    import gguf as library
    from gguf.quants import _type_traits as packed
    from transformers.integrations.gguf.utils import (  # house: allow heavy-import, by its own library
        is_gguf_arch_supported,
    )
    from transformers.modeling_gguf_pytorch_utils import (  # house: allow heavy-import, by its own library
        GGUF_SUPPORTED_ARCHITECTURES,
    )

    try:
        reader = library.GGUFReader(str(file))
        metadata = {name: field.contents() for name, field in reader.fields.items()}
    except (OSError, ValueError, KeyError, IndexError, TypeError) as error:
        raise ModelRefused(
            f"{file} cannot be read as GGUF ({error}): it is cut short, or of a quantisation that the installed gguf "
            "does not know; take Q8_0, Q4_K, Q4_1 or F16, or fetch it again"
        ) from None
    parts = metadata.get(PARTS)
    if isinstance(parts, int) and parts > 1:  # before all else: only the first part has the other metadata
        raise ModelRefused(
            f"{file} is one of {parts} parts of a model and lacks the tensors of the others: join them by llama.cpp's "
            "`llama-gguf-split --merge FIRST_PART OUT.gguf` and import what it writes, or take the model's safetensors"
        )
    architecture = str(metadata.get("general.architecture"))
    if architecture not in GGUF_SUPPORTED_ARCHITECTURES and not is_gguf_arch_supported(architecture):
        raise ModelRefused(
            f"{file} is of the architecture {architecture}, which transformers cannot convert from GGUF: take the "
            f"model's safetensors, or {KNOWN}"
        )
    tensors = [tensor for tensor in reader.tensors if not tensor.name.startswith(ROTARY)]
    kinds = Counter({tensor.tensor_type: 0 for tensor in tensors})
    for tensor in tensors:
        kinds[tensor.tensor_type] += int(tensor.n_elements)
    unknown = [kind.name for kind in kinds if kind not in packed and kind.name not in PLAIN]
    if unknown or not kinds:
        raise ModelRefused(
            f"{file} is packed as {unknown[0] if unknown else 'nothing'}, which cannot be dequantised here: take Q8_0, "
            "Q4_K, Q4_1 or F16 of the same model"
        )
    if not metadata.get(TOKENS):
        raise ModelRefused(f"{file} brings no tokenizer: take a file that does, or the model's folder")
    head = any(tensor.name == HEAD for tensor in tensors)
    return GgufModel(file, seen, architecture, kinds.most_common(1)[0][0].name, sum(kinds.values()), head, metadata)


def hashed(file: Path, show: Callable[[str, int], Advance]) -> str:
    """SHA-256 of the file in hex."""
    advance, state = show("reading", file.stat().st_size), hashlib.sha256()
    with file.open("rb") as source:
        while block := source.read(CHUNK):
            state.update(block)
            advance(len(block))
    return state.hexdigest()


def config_of(model: GgufModel) -> Any:
    """The configuration that transformers makes of the metadata, with the class that its weights become.

    Raises:
        ModelRefused: it can make none, or one of a model that writes no text by itself.
    """
    found = _config(model.file, model.seen)
    if found.architectures is None:
        raise ModelRefused(
            f"{model.file} is of the architecture {model.architecture}, which writes no text by itself: take {KNOWN}"
        )
    return found


@lru_cache(maxsize=1)
def _config(file: Path, seen: Stamp) -> Any:
    """What is read once of a file as it was `seen`: metadata of large vocabularies take seconds."""
    from transformers import AutoConfig  # house: allow heavy-import, by its own library
    from transformers.models.auto.modeling_auto import (  # house: allow heavy-import, by its own library
        MODEL_FOR_CAUSAL_LM_MAPPING_NAMES,
    )

    try:
        with _alone(file) as named:
            found = AutoConfig.from_pretrained(**named)
    except Exception as error:  # a wrong or missing entry ends in whatever reads it
        raise ModelRefused(
            f"transformers cannot make settings of the metadata of {file} ({type(error).__name__}: {error}): take the "
            "model's safetensors"
        ) from None
    name = MODEL_FOR_CAUSAL_LM_MAPPING_NAMES.get(found.model_type)
    found.architectures = None if name is None else [name]
    return found


def tokenizer_of(model: GgufModel) -> Any:
    """The tokenizer that the metadata prescribe.

    Raises:
        ModelRefused: transformers makes none of them, or one that gives other ids.
    """
    from transformers import AutoTokenizer  # house: allow heavy-import, by its own library

    try:
        with _alone(model.file) as named:
            made = AutoTokenizer.from_pretrained(**named)
    except Exception as error:  # the parser of the tokenizers library raises bare exceptions
        raise ModelRefused(
            f"transformers cannot make a tokenizer of the metadata of {model.file} ({error}): take the model's folder "
            "with tokenizer.json"
        ) from None
    prescribed.prescribe(model.metadata, made.backend_tokenizer)
    prescribed.require_same(model.metadata, made)
    return made


@contextmanager
def _alone(file: Path) -> Iterator[dict[str, str]]:
    """How transformers is told of the file, alone in a folder: of what lies beside it, it would read and run some."""
    with TemporaryDirectory(prefix="understudy-gguf-") as folder:
        (Path(folder) / file.name).symlink_to(file.resolve())
        yield {"pretrained_model_name_or_path": folder, "gguf_file": file.name}


def convert(model: GgufModel, out: Path, dtype: str, show: Callable[[str, int], Advance]) -> None:
    """Write the Hugging Face folder `out`; `dtype` keep means bfloat16 for what was packed.

    Raises:
        ModelRefused: it does not fit into memory, it lacks a tensor or has one of another shape, or its tokenizer does
            not give the ids that the file prescribes.
    """
    require_memory(model, free_bytes())
    import torch  # house: allow heavy-import, by its own library
    from transformers import (  # house: allow heavy-import, by its own library
        AutoModelForCausalLM,
        GgufConfig,
    )

    size = model.file.stat().st_size
    done = show("dequantising", size)
    config_of(model).save_pretrained(out)
    tokenizer_of(model).save_pretrained(out)
    prescribed.require_same(model.metadata, tokens.load(out))  # as engines will, by whatever class they choose
    wanted = getattr(torch, dtype if dtype != "keep" else PLAIN.get(model.quantisation, "bfloat16"))
    try:
        with _alone(model.file) as named:
            found, loaded = AutoModelForCausalLM.from_pretrained(
                **named, dtype=wanted, quantization_config=GgufConfig(dequantize=True), output_loading_info=True
            )
    except (ValueError, RuntimeError, KeyError) as error:
        raise ModelRefused(
            f"transformers cannot convert {model.file} ({error}): take the model's safetensors"
        ) from None
    require_whole(
        model, loaded["missing_keys"], {name: tuple(value.shape) for name, value in found.state_dict().items()}
    )
    require_read(model, sum(value.numel() for value in found.parameters()))
    if hasattr(found.config, "quantization_config"):
        del found.config.quantization_config
    found.save_pretrained(out, safe_serialization=True)
    done(size)


def require_whole(model: GgufModel, missing: Collection[str], found: Mapping[str, Shape]) -> None:
    """Refuse what transformers would fill with random numbers: names that are `missing`, no tied head among them.

    Raises:
        ModelRefused: there are such, or one of the shapes that were `found` is not what the metadata mean.
    """
    hint = "fetch the file again, or take the model's safetensors"
    if missing:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise ModelRefused(f"{model.file} is not whole: the tensor {min(missing)}{more} is missing: {hint}")
    wanted = weights.built(config_of(model), model.file).shapes
    for name in sorted(found.keys() & wanted.keys()):
        if found[name] != wanted[name]:
            raise ModelRefused(
                f"{name} has shape {list(found[name])} in {model.file}, its metadata mean {list(wanted[name])}: {hint}"
            )


def require_read(model: GgufModel, read: int) -> None:
    """Raises ModelRefused where fewer weights were `read` than the file holds: transformers leaves out what it has no
    place for, such as the biases of some attention layers."""
    if read < model.weights:
        raise ModelRefused(
            f"transformers reads {read:,} of the {model.weights:,} weights in {model.file}, so it would answer "
            "otherwise: take the model's safetensors"
        )


def require_memory(model: GgufModel, free: int) -> None:
    """Raises ModelRefused where `free` bytes do not hold the dequantised weights."""
    needed = model.weights * BYTES_BY_WEIGHT
    if needed > free:
        raise ModelRefused(
            f"dequantising {model.file.name} takes about {needed >> 20} MiB of memory, {free >> 20} MiB are free: end "
            "other programs, or import the model's safetensors, which are streamed"
        )
