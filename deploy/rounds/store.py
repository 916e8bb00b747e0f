"""Rounds: folders with a folder for each stage, one table of states, resumable after any crash.

A stage is over when its READY exists; READY holds the event that ended it. A round's state is computed from
these markers, so there is no second record that could disagree with them.
The register stage must put the new version's name under `version` into its summary.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from deploy.rounds.record import Round, StageRecord
from deploy.rounds.table import STAGES, next_state
from understudy.clock import Clock, wall
from understudy.errors import Conflict, IllegalTransition, NotFound
from understudy.files import FULL, READY, is_ready, mark_ready, read_json, write_json
from understudy.process.lock import exclusive
from understudy.state import StateDir

PATIENCE = 5.0
"""Seconds for which one waits while another process ends a stage."""


class RoundStore(Protocol):
    """Rounds by number, one under way at most; trainer and controller end stages one after the other."""

    @property
    def kept(self) -> Path: ...
    def all(self) -> list[Round]: ...
    def current(self) -> Round | None: ...
    def get(self, number: int) -> Round: ...
    def before(self, number: int, most: int) -> list[Round]: ...
    def begin(self, parent: str, teacher: str, why: str, budget: float | None = None) -> Round: ...
    def folder(self, number: int, stage: str) -> Path: ...
    def file(self, number: int, stage: str, name: str) -> Path: ...
    def finish(self, number: int, stage: str, summary: dict[str, Any], event: str = "done") -> Round: ...
    def fail(self, number: int, summary: dict[str, Any]) -> Round: ...
    def progress(self, number: int, stage: str, done: float, total: float, note: str = "") -> None: ...
    def read_progress(self, number: int) -> dict[str, Any] | None: ...


class FileRounds:
    """`RoundStore` in `registry/rounds/N/` of a state directory."""

    def __init__(self, state: StateDir, clock: Clock = wall) -> None:
        self._root = state.rounds
        self._clock = clock

    @property
    def kept(self) -> Path:
        """Folder of what outlives rounds; whoever writes there creates it."""
        return self._root / "kept"

    def all(self) -> list[Round]:
        """Every round, newest first."""
        return [self.get(number) for number in self._numbers()]

    def before(self, number: int, most: int) -> list[Round]:
        """Up to `most` rounds before round `number`, newest first."""
        return [self.get(found) for found in [n for n in self._numbers() if n < number][:most]]

    def current(self) -> Round | None:
        """The unfinished round, None when there is none."""
        for number in self._numbers():  # only the newest can be unfinished, since `begin` sees to it
            newest = self.get(number)
            return None if newest.finished else newest
        return None

    def _numbers(self) -> list[int]:
        found = [int(f.name) for f in self._root.glob("[0-9]*") if f.name.isdigit() and (f / "round.json").is_file()]
        return sorted(found, reverse=True)

    def get(self, number: int) -> Round:
        """Round `number`.

        Raises:
            NotFound: there is none.
        """
        folder = self._root / str(number)
        try:
            begun = read_json(folder / "round.json")
        except (OSError, ValueError):
            raise NotFound(f"there is no round {number}") from None
        stages, state, since = {}, STAGES[0], float(begun["started"])
        for stage, record, ended in _records(folder, since):
            if stage != state:
                break
            stages[stage], since = record, ended
            state = next_state(state, record.event)
        registered = stages.get("register")
        candidate = None if registered is None else registered.summary.get("version")
        return Round(
            id=number, state=state, parent=begun["parent"], teacher=begun["teacher"], candidate=candidate,
            why=begun["why"], started=float(begun["started"]), stages=stages, since=since, budget=begun.get("budget"),
        )  # fmt: skip

    def begin(self, parent: str, teacher: str, why: str, budget: float | None = None) -> Round:
        """Open a round, whose timed stages are to take `budget` seconds together.

        Raises:
            Conflict: one is under way.
        """
        under_way = self.current()
        if under_way is not None:
            raise Conflict(f"round {under_way.id} is under way (state {under_way.state})")
        self._root.mkdir(parents=True, exist_ok=True)
        number = 1 + max((int(f.name) for f in self._root.glob("[0-9]*") if f.name.isdigit()), default=0)
        (self._root / str(number)).mkdir()
        begun = {"parent": parent, "teacher": teacher, "why": why, "started": self._clock(), "budget": budget}
        write_json(self._root / str(number) / "round.json", {"schema_version": 1, **begun})
        return self.get(number)

    def folder(self, number: int, stage: str) -> Path:
        """The folder of a stage, created when missing.

        Raises:
            NotFound: no such round or stage.
        """
        if stage not in STAGES or not (self._root / str(number)).is_dir():
            raise NotFound(f"there is no stage {stage!r} of round {number}")
        folder = self._root / str(number) / stage
        folder.mkdir(exist_ok=True)
        return folder

    def file(self, number: int, stage: str, name: str) -> Path:
        """Where a stage keeps `name`; it need not exist, and nothing is created."""
        return self._root / str(number) / stage / name

    def finish(self, number: int, stage: str, summary: dict[str, Any], event: str = "done") -> Round:
        """End a stage: summary first, READY last. The same event again changes nothing.

        `seconds` in the summary, if given, is the time taken; else it counts from the stage before.

        Raises:
            IllegalTransition: the round is elsewhere, or the table does not hold the event.
        """
        with self._locked():
            current = self.get(number)
            if stage in current.stages and current.stages[stage].event == event:
                return current
            if current.state != stage:
                raise IllegalTransition(f"round {number} is in state {current.state!r}, so {stage!r} cannot end now")
            next_state(stage, event)
            return self._end(number, stage, summary, event)

    def fail(self, number: int, summary: dict[str, Any]) -> Round:
        """End a round as failed at whatever stage it is; who works on that stage finds out at its next look.

        Raises:
            NotFound: there is no such round.
            Conflict: it has ended already.
        """
        with self._locked():
            current = self.get(number)
            if current.finished:
                raise Conflict(f"round {number} has ended already: {current.state}")
            return self._end(number, current.state, summary, "failed")

    def _end(self, number: int, stage: str, summary: dict[str, Any], event: str) -> Round:
        folder = self.folder(number, stage)
        write_json(folder / "summary.json", summary)
        mark_ready(folder, json.dumps({"event": event, "at": self._clock()}) + "\n")
        return self.get(number)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Trainer and controller end stages one after the other, so that neither overwrites the other's word."""
        self._root.mkdir(parents=True, exist_ok=True)
        with exclusive(self._root / ".lock", PATIENCE):
            yield

    def progress(self, number: int, stage: str, done: float, total: float, note: str = "") -> None:
        """Say how far a stage is, for views only; not durable, and no error where there is no room for it."""
        value = {"stage": stage, "done": done, "total": total, "note": note, "at": self._clock()}
        path = self._root / str(number) / "progress.json"
        draft = path.with_name(f".progress.{os.getpid()}")
        try:
            draft.write_text(json.dumps(value), "utf-8")
            os.replace(draft, path)
        except OSError as error:
            draft.unlink(missing_ok=True)
            if error.errno not in FULL:
                raise

    def read_progress(self, number: int) -> dict[str, Any] | None:
        """What `progress` said last; None when it said nothing."""
        try:
            value: dict[str, Any] = read_json(self._root / str(number) / "progress.json")
        except (OSError, ValueError):
            return None
        return value


def _records(folder: Path, started: float) -> Iterator[tuple[str, StageRecord, float]]:
    """(stage, its record, when it ended) of the stages that are over, in order."""
    for stage in STAGES:
        if not is_ready(folder / stage):
            return
        marker = read_json(folder / stage / READY)
        try:
            summary = read_json(folder / stage / "summary.json")
        except (OSError, ValueError):
            summary = {}
        at = float(marker["at"])
        seconds = summary.get("seconds")
        taken = float(seconds) if isinstance(seconds, int | float) else at - started
        yield stage, StageRecord(started, taken, str(marker["event"]), summary), at
        started = at
