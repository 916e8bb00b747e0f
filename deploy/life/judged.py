"""Which general rows each version got exactly right when it was judged, kept beside the versions.

A later candidate is compared on the rows that both were judged on with a version from some promotions ago. The
files say who descends from whom, too, so that they can be followed when old versions are gone.
"""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from deploy.life.gate import Former
from understudy.files import write_atomic

ROWS = 4000
"""Kept of a version, the latest."""


class JudgedRows(BaseModel):
    """One version: whether its reply was exact, by the key of the row."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    parent: str | None = None
    exact: dict[str, bool] = Field(default_factory=dict)


class JudgedStore:
    """Files `<version>.json` in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self, version: str) -> JudgedRows | None:
        """What is kept of a version; None where that is nothing, or cannot be read."""
        try:
            return JudgedRows.model_validate_json((self._folder / f"{version}.json").read_bytes())
        except (OSError, ValidationError):
            return None

    def keep(self, version: str, parent: str | None, exact: dict[str, bool]) -> None:
        """Add rows to those of a version; a row that it is judged on again counts as it was judged last."""
        known = self.read(version) or JudgedRows()
        rows = {**{row: was for row, was in known.exact.items() if row not in exact}, **exact}
        kept = JudgedRows(parent=parent or known.parent, exact=dict(list(rows.items())[-ROWS:]))
        self._folder.mkdir(parents=True, exist_ok=True)
        write_atomic(self._folder / f"{version}.json", kept.model_dump_json() + "\n")

    def former(self, live: str, back: int) -> Former | None:
        """The version that was live `back` promotions before `live`, or the first one that is known of later ones."""
        version, known, found = live, self.read(live), None
        for _ in range(back):
            if known is None or known.parent is None or (parent := self.read(known.parent)) is None:
                break
            version, known = known.parent, parent
            found = Former(version, parent.exact)
        return found
