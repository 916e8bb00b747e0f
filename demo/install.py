"""Register the demo models in a fresh state: the teacher as t1, the two students as v1 and v2.

Run by `understudy up` in a process of its own. Doing it again changes nothing.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy.engines.fingerprint import FINGERPRINT_FILE
from deploy.registry.store import Registry
from understudy.errors import IntegrityError, NotFound, UnderstudyError
from understudy.files import read_json
from understudy.state import DEFAULT_STATE, StateDir

HERE = Path(__file__).resolve().parent


@dataclass(frozen=True, slots=True)
class DemoModel:
    """One committed model; `told_from` is the folder whose weights its fingerprint must refuse."""

    version: str
    kind: Any
    folder: str
    parent: str | None = None
    told_from: str | None = None


MODELS = (
    DemoModel("t1", "teacher", "models/teacher"),
    DemoModel("v1", "student", "registry/students/v1", None, "registry/students/v2"),
    DemoModel("v2", "student", "registry/students/v2", "v1", "registry/students/v1"),
)
FIGURES = {"parameters": "parameters", "facts": "pass", "agreement": "agreement"}
"""What a version says of itself, and its name in metrics.json; the rest is in the model's card."""


def missing() -> Iterator[str]:
    """One sentence for each committed model that has no weights."""
    for model in MODELS:
        name = f"demo/{model.folder}/model.safetensors"
        if not (HERE.parent / name).is_file():
            yield f"the model {name} is missing: check the clone, or run `make demo-models`"


def install(state: StateDir) -> list[str]:
    """Register what is missing; returns the names of the versions added.

    Raises:
        NotFound: a model folder is not complete.
    """
    registry = Registry(state)
    there = {manifest.version for manifest in registry.versions()}
    added = []
    for model in MODELS:
        if model.version in there:
            continue
        folder = HERE / model.folder
        if not (folder / "model.safetensors").is_file():
            raise NotFound(f"demo/{model.folder} holds no weights: check the clone, or run `make demo-models`")
        with tempfile.TemporaryDirectory() as scratch:
            registry.register(
                prepared(model, folder, Path(scratch)), kind=model.kind, parent=model.parent,
                teacher="t1" if model.kind == "student" else None, round=None,
                lineage={"source": f"demo/{model.folder}", "script": "demo/training/train.py"},
                metrics=measured(model.version), version=model.version,
            )  # fmt: skip
        added.append(model.version)
    return added


def prepared(model: DemoModel, folder: Path, scratch: Path) -> Path:
    """The folder to register: the committed one, or a copy of it with the fingerprint that it lacks."""
    if (folder / FINGERPRINT_FILE).is_file():
        return folder
    from online_distill.evaluate.fingerprint import record  # imports torch, which takes seconds

    copy = scratch / model.version
    shutil.copytree(folder, copy)
    try:
        record(copy, HERE / model.told_from if model.told_from else None, copy / FINGERPRINT_FILE)
    except IntegrityError as error:
        print(f"{model.version}: fingerprint without regard to {model.told_from}: {error.message}", file=sys.stderr)
        record(copy, None, copy / FINGERPRINT_FILE)
    return copy


def measured(version: str) -> dict[str, Any]:
    """Size, facts and agreement as `python -m demo.training.evaluate` recorded them; empty where there are none."""
    try:
        models = read_json(HERE / "models" / "metrics.json").get("models", {})
    except (OSError, ValueError, AttributeError):
        return {}
    found = models.get("teacher" if version == "t1" else version, {})
    return {name: found[key] for name, key in FIGURES.items() if key in found}


def main(argv: list[str] | None = None) -> int:
    """Command line; 1 with a message when a model is missing or refused."""
    parser = argparse.ArgumentParser(description=__doc__, epilog="example: python -m demo.install --state .understudy")
    parser.add_argument("--state", type=Path, default=DEFAULT_STATE)
    parser.add_argument("--check", action="store_true", help="only say which models are missing; 1 if any is")
    options = parser.parse_args(argv)
    if options.check:
        found = list(missing())
        print(*found, sep="\n", end="\n" * bool(found))
        return 1 if found else 0
    try:
        added = install(StateDir(options.state))
    except UnderstudyError as error:
        print(error.message, file=sys.stderr)
        return error.exit_code
    print(f"registered {', '.join(added) or 'nothing new'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
