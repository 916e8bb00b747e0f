"""Changes to the code that its tests must notice, as `tests/mutants.yaml` lists them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import yaml

LISTED = Path(__file__).with_suffix(".yaml")


@dataclass(frozen=True, slots=True)
class Mutant:
    """`old`, which stands in the file `path` once, becomes `new`; `tests` (paths for pytest) are to fail.

    `survives`: why no test can notice it, for the few of which that is so.
    """

    path: str
    name: str
    old: str
    new: str
    tests: str
    survives: str = ""

    def applied(self, text: str) -> str:
        """The file with the change.

        Raises:
            ValueError: `old` does not stand there once.
        """
        if text.count(self.old) != 1:
            raise ValueError(f"{self.path}: {self.old!r} stands there {text.count(self.old)} times")
        return text.replace(self.old, self.new)


MUTANTS: tuple[Mutant, ...] = tuple(
    Mutant(path, **row) for path, rows in yaml.safe_load(LISTED.read_text("utf-8")).items() for row in rows
)
