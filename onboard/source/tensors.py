"""Where each tensor of a folder lies: the headers of its safetensors files, and nothing of what follows them."""

from __future__ import annotations

import json
import math
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from onboard.refusal import ModelRefused
from onboard.source.files import SourceFiles
from serving.engine.inside.layout import MAX_HEADER

INDEX = "model.safetensors.index.json"
WIDTHS = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2}
"""Bytes of a number, by the types that weights may have."""
OTHER_WIDTHS = {"BOOL": 1, "U8": 1, "I8": 1, "I16": 2, "U16": 2, "I32": 4, "U32": 4, "I64": 8, "U64": 8,
                "F8_E4M3": 1, "F8_E5M2": 1}  # fmt: skip
Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class TensorPlace:
    """A tensor in a file: type as safetensors names it, shape, first byte in the file and number of bytes."""

    file: Path
    name: str
    dtype: str
    shape: Shape
    start: int
    size: int

    @property
    def elements(self) -> int:
        """How many numbers it holds."""
        return math.prod(self.shape)


def places(source: SourceFiles) -> dict[str, TensorPlace]:
    """All tensors of a folder by name.

    Raises:
        ModelRefused: no weights, pickles alone, a shard that is missing or unreadable, a tensor twice or elsewhere.
    """
    if not source.weights:
        raise ModelRefused(_no_weights(source))
    shards = _index(source)
    found: dict[str, TensorPlace] = {}
    for file in source.weights:
        if shards and file not in set(shards.values()):
            continue
        for name, place in header(source.folder / file).items():
            if name in found:
                raise ModelRefused(f"{name} is in {found[name].file.name} and in {file}: a tensor has one place")
            found[name] = place
    for name, file in shards.items():
        if name not in found or found[name].file.name != file:
            raise ModelRefused(f"{INDEX} says that {name} is in {file}, which is not so: fetch the folder again")
    return found


def header(path: Path) -> dict[str, TensorPlace]:
    """The tensors of one safetensors file.

    Raises:
        ModelRefused: it is none, or its header says what cannot be.
    """
    whole = path.stat().st_size
    try:
        with path.open("rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            if length > min(MAX_HEADER, whole):
                raise ValueError(f"a header of {length} bytes")
            rows = json.loads(file.read(length))
        return {
            name: _place(path, name, row, 8 + length, whole) for name, row in rows.items() if name != "__metadata__"
        }
    except (OSError, struct.error, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ModelRefused(
            f"{path} is no readable safetensors file ({error}): fetch it again; a pickle is never loaded"
        ) from None


def _place(path: Path, name: str, row: dict[str, Any], base: int, whole: int) -> TensorPlace:
    first, last = row["data_offsets"]
    place = TensorPlace(path, name, str(row["dtype"]), tuple(int(n) for n in row["shape"]), base + first, last - first)
    width = {**WIDTHS, **OTHER_WIDTHS}.get(place.dtype)
    if first < 0 or base + last > whole:
        raise ValueError(f"{name} ends behind the end of the file")
    if min(place.shape, default=1) < 0 or (width is not None and place.elements * width != place.size):
        raise ValueError(f"{name} of shape {list(place.shape)} has {place.size} bytes")
    return place


def _index(source: SourceFiles) -> dict[str, str]:
    """File by tensor, as the index of a sharded folder has it; empty without one."""
    if not source.has(INDEX):
        if len(source.weights) > 1:
            raise ModelRefused(f"{source.folder} holds several *.safetensors but no {INDEX}: fetch that file, too")
        return {}
    try:
        shards = {str(k): str(v) for k, v in json.loads((source.folder / INDEX).read_bytes())["weight_map"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise ModelRefused(f"{source.folder / INDEX} cannot be read: fetch it again") from None
    for file in sorted(set(shards.values())):
        if file not in source.weights:
            raise ModelRefused(f"the shard {file} that {INDEX} names is missing in {source.folder}: fetch it")
    return shards


def _no_weights(source: SourceFiles) -> str:
    if source.pickles:
        return (
            f"{source.folder} holds its weights as a pickle ({source.pickles[0]}), which may run any code and is never "
            "loaded: take the publisher's safetensors, or convert it where you trust it (`save_pretrained`)"
        )
    return f"{source.folder} holds no *.safetensors: give a complete folder, or a .gguf file"
