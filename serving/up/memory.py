"""Whether the engines that `up` is going to run fit into memory, from the files of the versions that they will load."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Mapping
from pathlib import Path

from deploy.life.config import RolloutConfig
from deploy.life.kept.store import RolloutFiles
from deploy.life.state import ControlState
from deploy.registry.manifest import Kind, Manifest
from deploy.registry.store import Registry
from deploy.routing.document import EXTERNAL, SlotName
from serving.engine.config import EnginesConfig
from serving.engine.inside.layout import LayoutError
from serving.engine.launch.obstacles import free_bytes
from serving.engine.sizes import MIB, cache_too_small, engine_size, shape_of, text_too_long
from understudy.errors import IntegrityError
from understudy.state import StateDir

Loads = Mapping[SlotName, tuple[str, Path]]
"""Version and folder that each slot will load."""


def versions_to_load(state: StateDir, slots: Collection[SlotName], rollout: RolloutConfig) -> Loads:
    """What the slots held last, else what the controller would give them; a spare student slot is kept for a candidate,
    which is as large as the stable version."""
    registry = Registry(state)
    known = {manifest.version: manifest for manifest in registry.versions()}
    decided = ControlState()
    with contextlib.suppress(IntegrityError):  # the controller sets aside what it cannot read, and begins anew
        decided = RolloutFiles(state.registry).load() or decided
    teacher = decided.teacher if decided.teacher in known else first(known, "teacher", rollout.first_teacher)
    stable = decided.stable if decided.stable in known else first(known, "student", rollout.first_student)
    wanted: dict[SlotName, str | None] = {}
    for slot in slots:
        held = decided.slots.get(slot)
        wanted[slot] = teacher if slot == "teacher" else held if held in known else stable
    return {
        slot: (version, registry.path(version)) for slot, version in wanted.items() if version not in (None, EXTERNAL)
    }


def first(known: Mapping[str, Manifest], kind: Kind, named: str | None) -> str | None:
    """The version that is named, else the newest of its kind; None without one."""
    fitting = [version for version, manifest in known.items() if manifest.kind == kind]
    return named if named in fitting else next(iter(fitting), None)


def too_large(loads: Loads, engines: EnginesConfig, free: int | None = None) -> list[str]:
    """One sentence for each version that no engine could serve with these settings, and for engines that do not fit.

    `free` in bytes is what the machine has. On a GPU vLLM takes its share by itself and says what it lacks.
    """
    if not engines.on_cpu:
        return []
    free = free_bytes() if free is None else free
    found, needed, parts = [], 0, []
    for slot, (version, folder) in loads.items():
        try:
            shape = shape_of(folder)
        except LayoutError as error:
            found.append(f"{version}: {error.message}")
            continue
        size = engine_size(shape, engines, forked=engines.launcher != "plain")
        whys = (text_too_long(shape, engines), cache_too_small(size, engines))
        found += [f"{version}: {why}" for why in whys if why]
        needed += size.total
        parts.append(f"{version} in {slot} {size.total // MIB} MiB")
    if needed > free:
        found.append(
            f"the engines need about {needed // MIB} MiB of memory ({', '.join(parts)}), {free // MIB} MiB are free: "
            "end other programs, lower engines.kv_cache_bytes, set engines.dtype to bfloat16, or import smaller models"
        )
    return list(dict.fromkeys(found))
