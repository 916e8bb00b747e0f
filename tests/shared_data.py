"""Where tests find what is too large for the repository: real data and Kafka. Without it they skip, and say why.

With UNDERSTUDY_REQUIRE_DATA=1 they fail instead, so that no machine passes them by skipping.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import NoReturn

import pytest

from examples.smollm2 import fetch

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared"
NO_KAFKA = "no Kafka: set KAFKA_BOOTSTRAP_SERVERS, or KAFKA_HOME to a Kafka distribution (needs Java 17 or later)"
NO_JAVA = "Kafka lies here, but no `java` to run it: run `scripts/system-packages`, or set JAVA_HOME"


def data_file(name: str) -> Path:
    """The file `name` of UNDERSTUDY_DATA, else of ../shared/data."""
    for folder in _named("UNDERSTUDY_DATA", SHARED / "data"):
        if (folder / name).is_file():
            return folder / name
    lacking(f"no {name}: set UNDERSTUDY_DATA to the folder that holds it")


def kafka_home() -> Path:
    """Folder of a Kafka distribution: KAFKA_HOME, else ../shared/kafka, else .kafka."""
    for folder in _named("KAFKA_HOME", SHARED / "kafka", ROOT / ".kafka"):
        if (folder / "bin" / "kafka-server-start.sh").is_file():
            if not os.environ.get("JAVA_HOME") and shutil.which("java") is None:
                lacking(NO_JAVA)
            return folder
    lacking(NO_KAFKA)


def smollm2(cache: Path) -> Path:
    """SmolLM2's file, fetched into `cache`; UNDERSTUDY_SMOLLM2 names one that is here."""
    try:
        return fetch.gguf(cache)
    except fetch.NotFetched as error:
        lacking(error.message)


def need_program(name: str) -> None:
    """Skip, or fail where it is required, when the program `name` is not on the path."""
    if shutil.which(name) is None:
        lacking(f"no `{name}`: run `scripts/system-packages`")


def need_package(folder: Path) -> None:
    """Skip, or fail where it is required, when npm has not installed a package into its `folder`."""
    if not folder.is_dir():
        lacking(f"no package `{folder.name}` of npm: run `scripts/system-packages`")


def need_python(python: Path) -> None:
    """Skip, or fail where it is required, when the environment of a `bin/python` has not been made."""
    if not python.exists():
        lacking(f"no environment `{python.parent.parent.name}`: `make install` brings it")


def lacking(why: str) -> NoReturn:
    """Skip, or fail where it is required; `why` says what to do."""
    if os.environ.get("UNDERSTUDY_REQUIRE_DATA") == "1":
        pytest.fail(why)
    pytest.skip(why)


def _named(variable: str, *defaults: Path) -> list[Path]:
    given = os.environ.get(variable)
    return [*([Path(given)] if given else []), *defaults]
