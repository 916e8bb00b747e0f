"""The controller's state as files, one for each leader: `rollout.N.json` under the leader's number N.

A leader writes under its own number alone and the highest one counts, so a leader that hung, was replaced and goes on
writing changes nothing. `rollout.json` is a link to the file that counts. Without a lease, and in what an earlier
release left, `rollout.json` is the file itself: number 0.
"""

from __future__ import annotations

import contextlib
import os
import re
from pathlib import Path

from pydantic import ValidationError

from deploy.life.state import ControlState
from understudy.errors import IntegrityError
from understudy.files import sync_folder, write_atomic

NAME = "rollout.json"
UNREADABLE = ".unreadable"
"""Ending of the name under which a state that cannot be read is kept."""
KEPT = 2
"""Leaders whose files are kept."""


class RolloutFiles:
    """States in `folder`; writes under `fence`."""

    def __init__(self, folder: Path) -> None:
        self.fence = 0
        self._folder = folder

    @property
    def path(self) -> Path:
        """Where this leader writes."""
        return self._path(self.fence)

    def load(self) -> ControlState | None:
        """The state of the highest number; None when there is none.

        Raises:
            IntegrityError: it cannot be read.
        """
        number = max(self._numbers(), default=0)
        path = self._path(number)
        try:
            return ControlState.model_validate_json(path.read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, ValidationError) as error:
            raise IntegrityError(f"{path.name} cannot be read: {str(error).splitlines()[0]}") from None

    def save(self, state: ControlState) -> None:
        """Write the state durably, under this leader's number.

        Raises:
            OSError: it cannot be written.
        """
        write_atomic(self.path, state.model_dump_json(indent=1) + "\n")
        if self.fence:
            with contextlib.suppress(OSError):  # the numbers decide; link and former files are for readers
                self._point()

    def set_aside(self) -> Path | None:
        """Rename a state that cannot be read, so that it is kept and read no more; its new path."""
        path = self._path(max(self._numbers(), default=0))
        if not path.exists() or path.is_dir():
            return None
        aside = path.with_name(f"{path.name}{UNREADABLE}")
        os.replace(path, aside)
        sync_folder(self._folder)
        return aside

    def _point(self) -> None:
        link = self._path(0)
        if not link.is_symlink() or os.readlink(link) != self.path.name:
            draft = self._folder / f".{NAME}.{os.getpid()}"
            draft.unlink(missing_ok=True)
            draft.symlink_to(self.path.name)
            os.replace(draft, link)
        for number in sorted((n for n in self._numbers() if n), reverse=True)[KEPT:]:
            self._path(number).unlink(missing_ok=True)

    def _path(self, number: int) -> Path:
        return self._folder / (f"rollout.{number}.json" if number else NAME)

    def _numbers(self) -> list[int]:
        """Numbers of the states that are there; 0 where `rollout.json` is a file of its own."""
        named = (re.fullmatch(r"rollout\.(\d+)\.json", path.name) for path in self._folder.glob("rollout.*.json"))
        numbers = [int(match[1]) for match in named if match]
        own = self._path(0)
        return numbers + ([0] if own.exists() and not own.is_symlink() else [])
