"""Which tensors a version folder holds, and whether one folder can replace another in a running engine.

Reads safetensors headers only (8 bytes of length, then JSON); the safetensors package would need torch
or numpy to say the same.
"""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass
from pathlib import Path

from understudy.errors import IntegrityError
from understudy.files import sha256_file

MAX_HEADER = 100 << 20
IGNORED = frozenset({"_name_or_path", "transformers_version", "dtype", "torch_dtype", "use_cache"})
"""Fields of config.json that do not change what the model computes in an engine."""
TEXT_FILES = ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja", "generation_config.json")
"""Read by the API server at its start alone."""
FLOATS = frozenset({"F64", "F32", "F16", "BF16"})


class LayoutError(IntegrityError):
    """A folder's weights are not what the running model is made of."""

    code = "layout"


@dataclass(frozen=True, slots=True)
class Tensor:
    """Type as safetensors names it (such as BF16), and shape."""

    dtype: str
    shape: tuple[int, ...]


def weight_files(folder: Path) -> list[Path]:
    """The safetensors files of a version folder, sorted.

    Raises:
        LayoutError: there is no such folder or no such file.
    """
    files = sorted(folder.glob("*.safetensors")) if folder.is_dir() else []
    if not files:
        raise LayoutError(f"{folder} holds no *.safetensors: give the folder of a complete version")
    return files


def read_layout(folder: Path) -> dict[str, Tensor]:
    """Tensors by name.

    Raises:
        LayoutError: no weights, an unreadable header, or a name that occurs twice.
    """
    found: dict[str, Tensor] = {}
    for path in weight_files(folder):
        try:
            with path.open("rb") as file:
                (length,) = struct.unpack("<Q", file.read(8))
                if length > MAX_HEADER:
                    raise ValueError(f"header of {length} bytes")
                header = json.loads(file.read(length))
            tensors = {n: Tensor(t["dtype"], tuple(t["shape"])) for n, t in header.items() if n != "__metadata__"}
        except (OSError, struct.error, ValueError, KeyError, TypeError, AttributeError) as error:
            raise LayoutError(f"{path} is no readable safetensors file: {error}") from None
        twice = found.keys() & tensors.keys()
        if twice:
            raise LayoutError(f"{folder} holds {min(twice)} twice")
        found |= tensors
    return found


def check_same(expected: dict[str, Tensor], offered: dict[str, Tensor]) -> None:
    """Names and shapes must be the same, and all values floating point.

    Raises:
        LayoutError: naming the first tensor that is missing, unknown, or of another shape.
    """
    for kind, names in (("lacks", expected.keys() - offered.keys()), ("has unknown", offered.keys() - expected.keys())):
        if names:
            raise LayoutError(f"the version {kind} {min(names)} ({len(names)} such tensors in all)")
    for name, tensor in sorted(offered.items()):
        if tensor.shape != expected[name].shape:
            raise LayoutError(f"{name} has shape {list(tensor.shape)}, not {list(expected[name].shape)}")
        if tensor.dtype not in FLOATS:
            raise LayoutError(f"{name} has type {tensor.dtype}; floating point is needed")


def reason_against(running: Path, wanted: Path) -> str | None:
    """Why `wanted` cannot be loaded in place into an engine that was started with `running`; None: it can.

    A reason is no fault of the version: the engine is then restarted with it.
    """
    try:
        if _model_config(running) != _model_config(wanted):
            return "config.json differs"
        for name in TEXT_FILES:
            if _digest(running / name) != _digest(wanted / name):
                return f"{name} differs, and an engine reads it at its start alone"
        check_same(read_layout(running), read_layout(wanted))
    except (OSError, ValueError) as error:
        return f"cannot compare with the running version: {error}"
    except LayoutError as error:
        return error.message
    return None


def _model_config(folder: Path) -> dict[str, object]:
    value = json.loads((folder / "config.json").read_bytes())
    return {key: item for key, item in value.items() if key not in IGNORED}


def _digest(path: Path) -> str | None:
    return sha256_file(path) if path.is_file() else None
