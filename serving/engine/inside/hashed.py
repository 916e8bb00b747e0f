"""Reads safetensors files so that what is hashed is what is loaded: each byte is read once, for both.

The safetensors package maps files into memory, where bytes may change between the hash and the use. Here a tensor's
bytes are a copy, one tensor at a time, and the last one is given out only when the hash of the whole file fits.
"""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any, Protocol

from serving.engine.inside.layout import MAX_HEADER, LayoutError, Tensor

BLOCK = 1 << 20


class _Digest(Protocol):
    def update(self, data: bytes | bytearray, /) -> None: ...


def read_hashed(path: Path, expected: Mapping[str, str]) -> Iterator[tuple[str, Tensor, bytearray]]:
    """Name, type and shape, and bytes of each tensor in the file, in the order in which they lie.

    `expected` maps names of files to SHA-256 in hex; empty: nothing is compared. The error comes before the last
    tensor, so whoever loads has not loaded all.

    Raises:
        LayoutError: the file is not readable safetensors, or not the one that was verified.
    """
    digest = hashlib.sha256()
    if expected and path.name not in expected:
        raise LayoutError(f"{path.name} is not among the files that were verified")
    try:
        with path.open("rb", buffering=0) as file:
            waiting = None
            for item in _tensors(file, digest):
                if waiting is not None:
                    yield waiting
                waiting = item
            while block := file.read(BLOCK):
                digest.update(block)
            if expected and digest.hexdigest() != expected[path.name]:
                raise LayoutError(f"{path.name} has changed since it was verified; restore it or roll back")
            if waiting is not None:
                yield waiting
    except (OSError, struct.error, ValueError, KeyError, TypeError, AttributeError) as error:
        raise LayoutError(f"{path} is no readable safetensors file: {error}") from None


def _tensors(file: IO[bytes], digest: _Digest) -> Iterator[tuple[str, Tensor, bytearray]]:
    head = _exactly(file, 8, digest)
    (length,) = struct.unpack("<Q", head)
    if length > MAX_HEADER:
        raise ValueError(f"header of {length} bytes")
    header: dict[str, Any] = json.loads(_exactly(file, length, digest))
    header.pop("__metadata__", None)
    position = 0
    for name, told in sorted(header.items(), key=lambda item: item[1]["data_offsets"]):
        begin, end = told["data_offsets"]
        if begin < position or end < begin:
            raise ValueError(f"{name} overlaps another tensor")
        _exactly(file, begin - position, digest)
        yield name, Tensor(told["dtype"], tuple(told["shape"])), _exactly(file, end - begin, digest)
        position = end


def _exactly(file: IO[bytes], size: int, digest: _Digest) -> bytearray:
    """The next `size` bytes, hashed.

    Raises:
        ValueError: the file ends before.
    """
    data = bytearray(size)
    view, done = memoryview(data), 0
    while done < size:
        read = file.readinto(view[done:])  # type: ignore[attr-defined]
        if not read:
            raise ValueError("the file ends too early")
        done += read
    digest.update(data)
    return data
