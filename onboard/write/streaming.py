"""A safetensors file written from tensors of other files, a few megabytes at a time.

The safetensors package writes a file from tensors that are all in memory.
"""

from __future__ import annotations

import hashlib
import json
import os
import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from onboard.refusal import ModelRefused
from onboard.source.tensors import WIDTHS, TensorPlace
from onboard.write.numbers import converted
from understudy.files import sync_folder

CHUNK = 4 << 20
"""Bytes read at once; a multiple of every width."""
Advance = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class PlannedTensor:
    """A tensor to be written under `name` as type `dtype`."""

    name: str
    place: TensorPlace
    dtype: str

    @property
    def size(self) -> int:
        """Bytes that it will take."""
        return self.place.elements * WIDTHS[self.dtype]


def file_size(tensors: Sequence[PlannedTensor]) -> int:
    """Bytes of the file that `write_weights` would write."""
    return len(_header(tensors)) + sum(tensor.size for tensor in tensors)


def write_weights(path: Path, tensors: Sequence[PlannedTensor], advance: Advance) -> str:
    """Write the file, whole or not at all; returns its SHA-256 in hex. `advance` is told of bytes that were read.

    Raises:
        ModelRefused: a value that is no finite number.
        OSError: the disk is full, or a file cannot be read.
    """
    part = path.with_name(f".{path.name}.part")
    state = hashlib.sha256()
    try:
        with part.open("wb") as out:
            head = _header(tensors)
            state.update(head)
            out.write(head)
            for tensor in tensors:
                with tensor.place.file.open("rb") as source:
                    for block in _blocks(source, tensor):
                        state.update(block)
                        out.write(block)
                        advance(len(block) * WIDTHS[tensor.place.dtype] // WIDTHS[tensor.dtype])
            out.flush()
            os.fsync(out.fileno())
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)
    return state.hexdigest()


def _blocks(source: BinaryIO, tensor: PlannedTensor) -> Iterator[bytes]:
    place = tensor.place
    source.seek(place.start)
    left = place.size
    while left:
        raw = source.read(min(CHUNK, left))
        if not raw:
            raise ModelRefused(f"{place.file} became shorter while it was read: import again once nobody writes there")
        left -= len(raw)
        yield converted(raw, place.dtype, tensor.dtype, place.name)


def _header(tensors: Sequence[PlannedTensor]) -> bytes:
    rows: dict[str, object] = {"__metadata__": {"format": "pt"}}
    at = 0
    for tensor in tensors:
        rows[tensor.name] = {
            "dtype": tensor.dtype, "shape": list(tensor.place.shape), "data_offsets": [at, at + tensor.size]
        }  # fmt: skip
        at += tensor.size
    text = json.dumps(rows, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text
