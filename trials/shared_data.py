"""Data of third parties, which tests and benchmarks read where they lie on this machine."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]


def data_folder() -> Path:
    """Where they lie: UNDERSTUDY_DATA, else ../shared/data."""
    return Path(os.environ.get("UNDERSTUDY_DATA") or ROOT.parent / "shared" / "data")


def json_rows(file: Path) -> Iterator[dict[str, Any]]:
    """The rows of a file of JSON lines, packed by gzip or not; none where it is not there."""
    if not file.is_file():
        return
    with gzip.open(file, "rt", encoding="utf-8") if file.suffix == ".gz" else file.open(encoding="utf-8") as lines:
        yield from (json.loads(line) for line in lines if line.strip())
