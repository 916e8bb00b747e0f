"""Headers of safetensors files, those of strangers among them."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors import safe_open

from onboard.refusal import ModelRefused
from onboard.source.files import look
from onboard.source.tensors import INDEX, header, places
from tests.onboard.models import tiny


def written(path: Path, rows: object, data: bytes = b"", length: int | None = None) -> Path:
    text = json.dumps(rows).encode()
    path.write_bytes(struct.pack("<Q", len(text) if length is None else length) + text + data)
    return path


def test_every_tensor_is_where_the_library_finds_it(made: Path) -> None:
    found = places(look(made))
    with safe_open(made / "model.safetensors", "pt") as file:
        assert {n: tuple(file.get_slice(n).get_shape()) for n in file.keys()} == {n: p.shape for n, p in found.items()}  # noqa: SIM118


def test_shards_are_joined_by_their_index_and_a_missing_one_is_named(tmp_path: Path) -> None:
    folder = tiny(tmp_path / "sharded", shard="100KB")
    assert len(look(folder).weights) > 2
    assert len({place.file for place in places(look(folder)).values()}) == len(look(folder).weights)
    gone = look(folder).weights[1]
    (folder / gone).rename(folder / "aside")
    with pytest.raises(ModelRefused, match=f"shard {gone}"):
        places(look(folder))
    (folder / "aside").rename(folder / gone)
    (folder / INDEX).rename(folder / "index.aside")
    with pytest.raises(ModelRefused, match="several"):
        places(look(folder))


def test_an_index_that_tells_something_else_is_refused(tmp_path: Path) -> None:
    folder = tiny(tmp_path / "sharded", shard="100KB")
    index = json.loads((folder / INDEX).read_text())
    first, other = look(folder).weights[:2]
    moved = next(name for name, file in index["weight_map"].items() if file == first)
    (folder / INDEX).write_text(json.dumps({"weight_map": {**index["weight_map"], moved: other}}))
    with pytest.raises(ModelRefused, match=f"{moved} is in {other}"):
        places(look(folder))


@pytest.mark.parametrize("row", [
    {"dtype": "F32", "shape": [2], "data_offsets": [0, 4]},
    {"dtype": "F32", "shape": [2], "data_offsets": [0, 800]},
    {"dtype": "F32", "shape": [2], "data_offsets": [-8, 0]},
    {"dtype": "F32", "shape": [-2], "data_offsets": [0, 8]},
    {"dtype": "F32", "shape": 3, "data_offsets": [0, 8]},
    {"dtype": "F32"},
    7,
])  # fmt: skip
def test_a_header_that_cannot_be_is_refused(tmp_path: Path, row: object) -> None:
    with pytest.raises(ModelRefused, match="no readable safetensors"):
        header(written(tmp_path / "x.safetensors", {"a": row}, b"\0" * 8))


@given(st.binary(max_size=64))
def test_no_bytes_at_all_do_more_than_refuse(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any.safetensors"
    path.write_bytes(data)
    try:
        header(path)
    except ModelRefused:
        pass


def test_a_pickle_is_never_loaded_whatever_it_is_called(tmp_path: Path) -> None:
    import pickle

    class Boom:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return (exec, (f"open({str(tmp_path / 'ran')!r}, 'w')",))

    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps(Boom()))
    with pytest.raises(ModelRefused, match=r"pickle \(pytorch_model\.bin\).*never"):
        places(look(folder))
    (folder / "model.safetensors").write_bytes(pickle.dumps(Boom()))
    with pytest.raises(ModelRefused, match="no readable safetensors"):
        places(look(folder))
    assert not (tmp_path / "ran").exists()
