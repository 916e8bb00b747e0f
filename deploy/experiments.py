"""Experiments applied at run time: one YAML file each in `registry/experiments/`."""

from __future__ import annotations

import re
from pathlib import Path

import yaml
from pydantic import ValidationError

from ab.experiment import Experiment
from understudy.errors import BadRequest, NotFound
from understudy.files import write_atomic
from understudy.state import StateDir


class ExperimentStore:
    """Reads, writes and removes experiments of a state directory."""

    def __init__(self, state: StateDir) -> None:
        self._folder = state.registry / "experiments"

    def all(self) -> tuple[Experiment, ...]:
        """Every experiment, by id; a file that is not one is left out."""
        found = []
        for path in sorted(self._folder.glob("[!.]*.yaml")):
            try:
                found.append(Experiment.model_validate(yaml.safe_load(path.read_text("utf-8"))))
            except (OSError, yaml.YAMLError, ValidationError):
                continue
        return tuple(found)

    def get(self, name: str) -> Experiment:
        """The experiment `name`.

        Raises:
            NotFound: it was never applied, or stopped.
        """
        for experiment in self.all():
            if experiment.id == name:
                return experiment
        known = ", ".join(e.id for e in self.all()) or "none"
        raise NotFound(f"there is no experiment {name!r} (there are: {known})", param="id")

    def put(self, experiment: Experiment) -> None:
        """Write an experiment; it is in the next routing document."""
        value = experiment.model_dump(mode="json", exclude_none=True)
        write_atomic(self._path(experiment.id), yaml.safe_dump(value, allow_unicode=True, sort_keys=False))

    def delete(self, name: str) -> None:
        """Take an experiment out of the next routing document.

        Raises:
            NotFound: there is none.
        """
        self.get(name)
        self._path(name).unlink()

    def _path(self, name: str) -> Path:
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", name):
            raise BadRequest(f"{name!r} is no experiment id; use letters, digits, dot, dash and underscore")
        return self._folder / f"{name}.yaml"
