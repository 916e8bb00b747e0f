"""What a process of ours that starts another one of ours gives it."""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
"""The checkout or installation."""


def environment() -> dict[str, str]:
    """What children get: this environment, with this checkout or installation first on Python's path.

    Not the working directory: a folder of the user's that is called like one of ours must not stand before it.
    """
    former = os.environ.get("PYTHONPATH")
    path = os.pathsep.join([str(ROOT), former]) if former else str(ROOT)
    return {**os.environ, "PYTHONPATH": path, "PYTHONSAFEPATH": "1", "PYTHONUNBUFFERED": "1"}
