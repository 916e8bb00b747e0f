"""Which form a model has, and the Hugging Face folder that it is or that is made of it, kept until it is used."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from onboard.convert import adapters, gguf
from onboard.refusal import ModelRefused
from onboard.source.files import Stamp, look, require_inside, stamp
from onboard.write.draft import require_room
from onboard.write.streaming import Advance
from understudy.files import READY, is_ready, mark_ready

ADAPTER = "adapter_config.json"
Make = Callable[[Path], None]


def form(path: Path) -> str:
    """safetensors, gguf or adapter.

    Raises:
        ModelRefused: there is nothing at `path`, or a file that is none of them.
    """
    if path.is_dir():
        if (path / ADAPTER).is_file():
            return "adapter"
        return "gguf" if only_gguf(path) is not None else "safetensors"
    if not path.exists():
        raise ModelRefused(f"{path} does not exist: give a folder of a model, or a .gguf file")
    if path.suffix == ".gguf":
        return "gguf"
    raise ModelRefused(
        f"{path} is neither a folder nor a .gguf file; a pickle (.bin, .pt) is never loaded: give the folder of a "
        "model with config.json, tokenizer.json and *.safetensors"
    )


def only_gguf(folder: Path) -> Path | None:
    """The one .gguf of a folder without settings of its own."""
    found = sorted(folder.glob("*.gguf"))
    return found[0] if len(found) == 1 and not (folder / "config.json").exists() else None


def gguf_file(path: Path) -> Path:
    """The .gguf at `path`, itself or the one of that folder.

    Raises:
        ModelRefused: there is none, or it is a link that leads out of its folder.
    """
    file = path if path.is_file() else only_gguf(path)
    if file is None:
        raise ModelRefused(f"{path} holds no .gguf")
    require_inside(file, file.parent)
    return file


def folder_of(
    path: Path, base: Path | None, place: Path, dtype: str, show: Callable[[str, int], Advance]
) -> tuple[Path, dict[str, Any]]:
    """The folder to import, and what the lineage says of where it came from; `place` keeps what had to be made.

    Raises:
        ModelRefused: the file cannot be converted.
    """
    kind = form(path)
    if kind == "safetensors":
        return path, {}
    if kind == "gguf":
        file = gguf_file(path)
        before, found = stamp(file), gguf.read(file)
        origin = {"format": "gguf", "source": str(file), "files": {file.name: gguf.hashed(file, show)}}
        origin |= {"quantisation": found.quantisation}
        if found.quantised:
            origin["note"] = f"dequantised from {found.quantisation}"

        def convert(out: Path) -> None:
            gguf.convert(found, out, dtype, show)
            require_same(file, before)

        made = _made(place, {file.name: asdict(before), "dtype": dtype}, convert)
        require_same(file, before)
        return made, origin
    adapter, under = look(path), look(adapters.base_of(path, base))
    files = {f"{name}/{file}": value for name, part in (("adapter", adapter), ("base", under))
             for file, value in part.hashes(show("reading", part.bytes)).items()}  # fmt: skip
    origin = {"format": "adapter", "source": str(path), "base": str(under.folder), "files": files}
    stamps = {
        f"{part.folder}/{name}": asdict(value) for part in (adapter, under) for name, value in part.stamps.items()
    }

    def merge(out: Path) -> None:
        adapters.merge(adapter, under, out, show)
        adapter.require_unchanged()
        under.require_unchanged()

    return _made(place, stamps, merge), origin


def require_room_for_both(place: Path, draft: Path, converted: int, copied: int) -> None:
    """Raises NoRoom where the folder made in `place` and the version copied from it into `draft`, of so many bytes
    each, do not fit on the disk side by side; what is there of them from before counts."""
    there = sum(path.stat().st_size for part in (place, draft) for path in part.rglob("*.safetensors"))
    require_room(place.parent, converted + copied - there)


def require_same(file: Path, before: Stamp) -> None:
    """Raises ModelRefused where the file is another one than it was."""
    if not file.is_file() or stamp(file) != before:
        raise ModelRefused(f"{file} was changed while it was read; nothing was registered: import it again")


def clear(place: Path) -> None:
    """Remove what was made, once it is a version."""
    shutil.rmtree(place, ignore_errors=True)


def _made(place: Path, identity: dict[str, Any], make: Make) -> Path:
    """The folder that `make` fills, complete when its marker names the same identity; half of one begins anew."""
    said = json.dumps(identity, sort_keys=True)
    folder = place / "model"
    if not is_ready(place) or (place / READY).read_text("utf-8") != said:
        clear(place)
        folder.mkdir(parents=True)
        make(folder)
        mark_ready(place, said)
    return folder
