"""Which tensors a folder holds, and whether one folder can replace another."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import pytest

from serving.engine.inside.layout import LayoutError, Tensor, check_same, read_layout, reason_against


def weights(folder: Path, tensors: dict[str, Tensor], config: str = "{}", name: str = "model.safetensors") -> Path:
    """A folder whose safetensors header names `tensors`; the values do not matter here."""
    folder.mkdir(parents=True, exist_ok=True)
    header = {n: {"dtype": t.dtype, "shape": list(t.shape), "data_offsets": [0, 0]} for n, t in tensors.items()}
    raw = json.dumps({"__metadata__": {"format": "pt"}, **header}).encode()
    (folder / name).write_bytes(struct.pack("<Q", len(raw)) + raw)
    (folder / "config.json").write_text(config)
    return folder


def test_a_layout_is_read_over_several_files(tmp_path: Path) -> None:
    weights(tmp_path, {"a": Tensor("BF16", (2, 3))}, name="one.safetensors")
    weights(tmp_path, {"b": Tensor("F32", (4,))}, name="two.safetensors")
    assert read_layout(tmp_path) == {"a": Tensor("BF16", (2, 3)), "b": Tensor("F32", (4,))}


@pytest.mark.parametrize("raw", [b"", b"\xff" * 8, struct.pack("<Q", 5) + b"{abc}", struct.pack("<Q", 2) + b"[]"])
def test_an_unreadable_header_is_refused(tmp_path: Path, raw: bytes) -> None:
    (tmp_path / "model.safetensors").write_bytes(raw)
    with pytest.raises(LayoutError, match="safetensors"):
        read_layout(tmp_path)


@pytest.mark.parametrize(
    ("offered", "said"),
    [
        ({}, "lacks a"),
        ({"a": Tensor("BF16", (2,)), "b": Tensor("BF16", (1,))}, "unknown b"),
        ({"a": Tensor("BF16", (3,))}, "shape"),
        ({"a": Tensor("I8", (2,))}, "type I8"),
    ],
)
def test_another_layout_is_named(offered: dict[str, Tensor], said: str) -> None:
    with pytest.raises(LayoutError, match=said):
        check_same({"a": Tensor("F32", (2,))}, offered)


def test_only_what_the_model_computes_with_must_be_equal(tmp_path: Path) -> None:
    layout = {"a": Tensor("BF16", (2,))}
    one = weights(tmp_path / "1", layout, '{"hidden_size": 8, "transformers_version": "5"}')
    two = weights(tmp_path / "2", layout, '{"hidden_size": 8, "dtype": "float32"}')
    assert reason_against(one, two) is None
    (two / "chat_template.jinja").write_text("{{ messages }}")
    assert "chat_template" in (reason_against(one, two) or "")
    three = weights(tmp_path / "3", layout, '{"hidden_size": 9}')
    assert reason_against(one, three) == "config.json differs"
    assert "cannot compare" in (reason_against(tmp_path / "gone", one) or "")
