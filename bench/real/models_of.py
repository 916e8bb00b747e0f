"""The two models that are measured, in a state directory of the benchmark."""

from __future__ import annotations

from pathlib import Path

from deploy.registry.store import Registry
from examples.smollm2.install import install, told
from onboard.cutting import cut
from onboard.importing import ImportOptions, import_model
from serving.engine.config import EnginesConfig
from understudy.state import StateDir


def prepared(state: StateDir, teacher: Path | None, layers: int, engines: EnginesConfig) -> tuple[str, str]:
    """Names of the teacher, SmolLM2 where none is given, and of the cut of `layers` layers; made where missing."""
    if teacher is None:
        first, second = install(state, layers, engines, told)
        return first, second
    made = import_model(state, teacher, ImportOptions("teacher"), engines, told).manifest.version
    student = cut(state, made, layers, None, told).manifest.version
    Registry(state).verify(student)
    return made, student
