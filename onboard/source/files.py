"""The files of a model folder that are read, as they were when the import began, so that a change is noticed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from onboard.refusal import ModelRefused

TEXTS = (
    "config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json",
    "chat_template.jinja", "chat_template.json", "model.safetensors.index.json", "adapter_config.json",
)  # fmt: skip
"""Files beside the weights that mean something; all others of a folder are left where they are."""
LARGEST_TEXT = 256 << 20
PICKLES = frozenset({".bin", ".pt", ".pth", ".ckpt", ".pkl"})
WEIGHTS = ".safetensors"
CHUNK = 4 << 20


@dataclass(frozen=True, slots=True)
class Stamp:
    """What tells that a file was changed: bytes, times of content and of inode in nanoseconds, inode."""

    size: int
    modified: int
    changed: int
    inode: int


@dataclass(frozen=True, slots=True)
class SourceFiles:
    """Files by their path relative to `folder`; `pickles` lie beside them and are never read."""

    folder: Path
    stamps: dict[str, Stamp]
    pickles: tuple[str, ...] = ()

    @property
    def weights(self) -> list[str]:
        """Names of the safetensors files, sorted."""
        return sorted(name for name in self.stamps if name.endswith(WEIGHTS))

    @property
    def bytes(self) -> int:
        """Of all of them."""
        return sum(stamp.size for stamp in self.stamps.values())

    def has(self, name: str) -> bool:
        """Whether there is a file of that name."""
        return name in self.stamps

    def require_unchanged(self) -> None:
        """Raises ModelRefused where a file was changed, added or removed since the folder was looked at."""
        now = {name: stamp(self.folder / name) for name in self.stamps if (self.folder / name).is_file()}
        wrong = sorted(name for name, was in self.stamps.items() if now.get(name) != was)
        if not wrong and set(look(self.folder).stamps) != set(self.stamps):
            wrong = sorted(set(look(self.folder).stamps) ^ set(self.stamps))
        if wrong:
            raise ModelRefused(
                f"{self.folder / wrong[0]} was changed while it was read; nothing was registered: "
                "import again once nobody writes there"
            )

    def hashes(self, advance: Callable[[int], None] = lambda _: None) -> dict[str, str]:
        """SHA-256 of each file in hex; `advance` is told of bytes that were read."""
        return {name: _hash(self.folder / name, advance) for name in sorted(self.stamps)}


def look(folder: Path) -> SourceFiles:
    """The files of `folder` that mean something.

    Raises:
        ModelRefused: no such folder, a link that leads out of it, or something that is no plain file.
    """
    if not folder.is_dir():
        raise ModelRefused(f"{folder} is no folder: give one with config.json, tokenizer.json and *.safetensors")
    stamps, pickles = {}, []
    for path in sorted(folder.iterdir()):
        if path.suffix in PICKLES:
            pickles.append(path.name)
        elif path.name in TEXTS or path.suffix == WEIGHTS:
            require_inside(path, folder)
            stamps[path.name] = stamp(path)
    return SourceFiles(folder, stamps, tuple(pickles))


def stamp(path: Path) -> Stamp:
    """What the system says of a file."""
    found = path.stat()
    return Stamp(found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino)


def require_inside(path: Path, folder: Path) -> None:
    """Raises ModelRefused for what is no plain file, or is a link out of `folder`.

    The cache of the Hugging Face hub is made of links from `snapshots/REVISION/` to `blobs/` beside it, which are fine.
    """
    home = folder.resolve()
    allowed = [home]
    if home.parent.name == "snapshots":
        allowed.append(home.parent.parent / "blobs")
    target = path.resolve()
    if not any(target.is_relative_to(place) for place in allowed):
        raise ModelRefused(
            f"{path} is a link out of its folder, to {target}: copy the folder by `cp -rL` and import the copy"
        )
    if not target.is_file():
        raise ModelRefused(f"{path} is no plain file: restore it, or import a complete copy of the folder")


def digest(hashes: dict[str, str]) -> str:
    """One SHA-256 for a set of files with their hashes: the same content gives the same, wherever it lies."""
    return hashlib.sha256(json.dumps(hashes, sort_keys=True).encode()).hexdigest()


def _hash(path: Path, advance: Callable[[int], None]) -> str:
    state = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(CHUNK):
            state.update(block)
            advance(len(block))
    return state.hexdigest()
