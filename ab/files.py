"""Reads experiment files and unit lists for the commands; the one module of `ab` that does I/O."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import yaml
from pydantic import ValidationError

from ab.experiment import Experiment
from understudy.config import describe
from understudy.errors import ConfigError, UsageError
from understudy.yaml_text import load_yaml


def read_experiment(path: Path) -> Experiment:
    """The experiment in a YAML file.

    Raises:
        ConfigError: unreadable, not YAML, or a wrong key or value, with its path and what is allowed.
    """
    try:
        raw = load_yaml(path.read_text("utf-8"))
    except OSError as error:
        raise ConfigError(f"cannot read the experiment {path}: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not valid YAML: {' '.join(str(error).split())}") from None
    if raw is None:
        raise ConfigError(f"{path} is empty; an experiment needs `id` and `arms`")
    try:
        return Experiment.model_validate(raw)
    except ValidationError as error:
        raise ConfigError(f"{path}: {describe('experiment', error, Experiment)}") from None


def read_units(path: Path) -> Iterator[str]:
    """One unit a line, without the line's end; empty lines are skipped.

    Raises:
        UsageError: unreadable or not UTF-8.
    """
    try:
        with path.open(encoding="utf-8") as file:
            for line in file:
                unit = line.rstrip("\r\n")
                if unit:
                    yield unit
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read the units {path}: {error}") from None
