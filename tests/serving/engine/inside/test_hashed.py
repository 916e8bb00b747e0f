"""What is hashed is what is loaded: every byte of a file counts, and the error comes before the last tensor."""

from __future__ import annotations

import hashlib
import json
import struct
from pathlib import Path

import pytest

from serving.engine.inside.hashed import read_hashed
from serving.engine.inside.layout import LayoutError, Tensor

TENSORS = {"一.weight": b"abcdefgh", "empty": b"", "b": b"ij", "c": b"klmn"}


def written(path: Path, gap: bytes = b"", tail: bytes = b"", offsets: tuple[int, int] | None = None) -> str:
    """A file with all tensors; its hash."""
    header, data = {}, b""
    for name, raw in TENSORS.items():
        data += gap
        header[name] = {"dtype": "F16", "shape": [len(raw) // 2], "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    if offsets is not None:
        header["b"]["data_offsets"] = list(offsets)
    raw_header = json.dumps({"__metadata__": {"format": "pt"}, **header}).encode()
    path.write_bytes(struct.pack("<Q", len(raw_header)) + raw_header + data + tail)
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("expected", [True, False])
@pytest.mark.parametrize(("gap", "tail"), [(b"", b""), (b"--", b"rest")])
def test_all_tensors_are_read_and_the_whole_file_is_hashed(
    tmp_path: Path, gap: bytes, tail: bytes, expected: bool
) -> None:
    path = tmp_path / "model.safetensors"
    fits = written(path, gap, tail)
    read = {name: (told, bytes(data)) for name, told, data in read_hashed(path, {path.name: fits} if expected else {})}
    assert read == {name: (Tensor("F16", (len(raw) // 2,)), raw) for name, raw in TENSORS.items()}


@pytest.mark.parametrize("position", [9, 40, -8, -1])
def test_a_changed_byte_anywhere_is_named_before_all_is_given_out(tmp_path: Path, position: int) -> None:
    path = tmp_path / "model.safetensors"
    fits = written(path, gap=b"--", tail=b"rest")
    raw = bytearray(path.read_bytes())
    raw[position] ^= 1
    path.write_bytes(raw)
    given = []
    with pytest.raises(LayoutError, match=r"model\.safetensors (has changed since|is no readable)"):
        given.extend(name for name, _, _ in read_hashed(path, {path.name: fits}))
    with pytest.raises(LayoutError):
        given.extend(name for name, _, _ in read_hashed(path, {path.name: fits}))
    assert len(set(given)) < len(TENSORS)


def test_a_file_changed_while_it_is_read_is_named(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    reading = read_hashed(path, {path.name: written(path)})
    next(reading)
    with path.open("r+b") as file:
        file.seek(-1, 2)
        file.write(b"?")
    with pytest.raises(LayoutError, match="has changed since it was verified"):
        list(reading)


def test_a_file_that_was_not_verified_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "more.safetensors"
    written(path)
    with pytest.raises(LayoutError, match="not among the files that were verified"):
        list(read_hashed(path, {"model.safetensors": "0" * 64}))


@pytest.mark.parametrize("offsets", [(4, 6), (9, 8), (900, 902)])
def test_offsets_that_make_no_sense_are_refused(tmp_path: Path, offsets: tuple[int, int]) -> None:
    path = tmp_path / "model.safetensors"
    written(path, offsets=offsets)
    with pytest.raises(LayoutError, match="no readable safetensors"):
        list(read_hashed(path, {}))
