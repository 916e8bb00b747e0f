"""What was measured so far, kept after each step, so that a run that was stopped goes on where it was."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from understudy.files import write_json

BenchFigures = dict[str, Any]


class BenchRecord:
    """Figures by part, workload and candidate. `about` says what is alike in all of them: another `about`, another run.

    What `path` holds of the same run is taken over; without a path nothing is kept.
    """

    def __init__(self, path: Path | None, about: BenchFigures) -> None:
        self._path = path
        held = json.loads(path.read_bytes()) if path is not None and path.exists() else {}
        same = all(held.get(name) == value for name, value in about.items())
        self.report: BenchFigures = held if held and same else {**about, "parts": {}}

    def figures(self, part: str, workload: str, name: str) -> BenchFigures | None:
        """Of one candidate, None where there are none."""
        found: BenchFigures | None = self.report["parts"].get(part, {}).get(workload, {}).get(name)
        return found

    def keep(self, part: str, workload: str, name: str, figures: BenchFigures) -> None:
        """Write them down."""
        self.report["parts"].setdefault(part, {}).setdefault(workload, {})[name] = figures
        if self._path is not None:
            write_json(self._path, self.report)
