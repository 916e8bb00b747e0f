"""Experiments applied at run time: one YAML file each in `registry/experiments/`, in its `stopped/` afterwards."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Protocol

import yaml
from pydantic import ValidationError

from ab.experiment import Experiment
from understudy.errors import BadRequest, NotFound
from understudy.files import sync_folder, write_atomic
from understudy.state import StateDir

STOPPED = "stopped"


class ExperimentStore(Protocol):
    """Experiments by id: those that are active, and those that were stopped."""

    def all(self) -> tuple[Experiment, ...]: ...
    def stopped(self) -> tuple[Experiment, ...]: ...
    def get(self, name: str) -> Experiment: ...
    def check(self, name: str) -> None: ...
    def put(self, experiment: Experiment) -> None: ...
    def delete(self, name: str) -> None: ...


class FileExperiments:
    """`ExperimentStore` in a state directory."""

    def __init__(self, state: StateDir) -> None:
        self._folder = state.registry / "experiments"

    def all(self) -> tuple[Experiment, ...]:
        """Every active experiment, in the order of file names; a file that is not one is left out."""
        return _read(self._folder)

    def stopped(self) -> tuple[Experiment, ...]:
        """Every stopped one that was not applied again."""
        active = {one.id for one in self.all()}
        return tuple(one for one in _read(self._folder / STOPPED) if one.id not in active)

    def get(self, name: str) -> Experiment:
        """The active experiment `name`.

        Raises:
            NotFound: it was never applied, or stopped.
        """
        for experiment in self.all():
            if experiment.id == name:
                return experiment
        known = ", ".join(e.id for e in self.all()) or "none"
        raise NotFound(f"there is no active experiment {name!r} (there are: {known})", param="id")

    def check(self, name: str) -> None:
        """Whether an experiment may have this id.

        Raises:
            BadRequest: it may not.
        """
        self._path(name)

    def put(self, experiment: Experiment) -> None:
        """Write an experiment; it is in the next routing document."""
        value = experiment.model_dump(mode="json", exclude_none=True)
        write_atomic(self._path(experiment.id), yaml.safe_dump(value, allow_unicode=True, sort_keys=False))

    def delete(self, name: str) -> None:
        """Take an experiment out of the next routing document; its file stays among the stopped.

        Raises:
            NotFound: it is not active.
        """
        self.get(name)
        stopped = self._folder / STOPPED
        stopped.mkdir(exist_ok=True)
        self._path(name).replace(stopped / self._path(name).name)
        sync_folder(stopped)
        sync_folder(self._folder)

    def _path(self, name: str) -> Path:
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", name):
            raise BadRequest(f"{name!r} is no experiment id; use letters, digits, dot, dash and underscore")
        return self._folder / f"{name}.yaml"


def _read(folder: Path) -> tuple[Experiment, ...]:
    found = []
    for path in sorted(folder.glob("[!.]*.yaml")):
        try:
            found.append(Experiment.model_validate(yaml.safe_load(path.read_text("utf-8"))))
        except (OSError, yaml.YAMLError, ValidationError):
            continue
    return tuple(found)
