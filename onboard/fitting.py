"""Whether three engines, a teacher and two students, fit into this machine's memory, and what would."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from deploy.registry.manifest import Kind
from deploy.registry.store import Registry
from onboard.refusal import ModelRefused
from serving.engine.config import EnginesConfig
from serving.engine.launch.obstacles import total_bytes
from serving.engine.sizes import MIB, EngineSize, ModelShape, cache_too_small, engine_size, shape_of
from understudy.errors import UnderstudyError

EMPTY = ModelShape(0, 0, 0, 0)
FINGERPRINT_BYTES = 5
"""For each weight of a model whose fingerprint is computed: a float32 of it, with room."""
TRAINED_BYTES = 16
"""For each weight of a student that learns: itself, its gradient and AdamW's two moments, in float32."""


@dataclass(frozen=True, slots=True)
class Fit:
    """Sizes of the two arms, of which the student has two engines, against the machine's memory in bytes."""

    teacher: EngineSize
    student: EngineSize
    memory: int

    @property
    def needed(self) -> int:
        """By all three engines."""
        return self.teacher.total + 2 * self.student.total


def forks(config: EnginesConfig) -> bool:
    """Whether engines are forked from one process, which spares most of their own share."""
    return config.on_cpu and config.launcher != "plain"


def fit(shape: ModelShape, kind: Kind, other: ModelShape, config: EnginesConfig) -> Fit:
    """Sizes with a model of `shape` as `kind` beside an `other` one in the other arm."""
    mine, theirs = (engine_size(one, config, forked=forks(config)) for one in (shape, other))
    return Fit(mine, theirs, total_bytes()) if kind == "teacher" else Fit(theirs, mine, total_bytes())


def require_fit(found: Fit, kind: Kind, config: EnginesConfig) -> None:
    """Raises ModelRefused where three engines do not fit on a CPU machine, or a cache holds no whole text."""
    if not config.on_cpu:
        return
    size = found.teacher if kind == "teacher" else found.student
    if why := cache_too_small(size, config):
        raise ModelRefused(why)
    if found.needed <= found.memory:
        return
    engines = 1 if kind == "teacher" else 2
    room = found.memory - found.needed + engines * (size.weights + size.loading)
    weight = 2 if config.dtype == "bfloat16" else 4
    fits = max(0, room // (engines * 2 * weight))
    hint = "" if config.dtype == "bfloat16" else ", or twice that with engines.dtype: bfloat16"
    raise ModelRefused(
        f"teacher and two student engines need about {found.needed // MIB} MiB of memory, this machine has "
        f"{found.memory // MIB} MiB: a {kind} of {fits // 1_000_000} million weights would fit{hint}; where it is "
        "served on another machine, say --elsewhere"
    )


def registered(registry: Registry, kind: Kind) -> ModelShape:
    """The shape of the newest version of `kind`; empty without one."""
    for manifest in registry.versions():
        if manifest.kind == kind:
            try:
                return shape_of(registry.path(manifest.version))
            except (UnderstudyError, OSError):
                return EMPTY
    return EMPTY


def require_memory(model: Path, weights: int, free: int) -> None:
    """Raises ModelRefused where `model`, of so many weights, cannot be loaded in float32 to be fingerprinted."""
    needed = FINGERPRINT_BYTES * weights
    if needed > free:
        raise ModelRefused(
            f"the fingerprint of {model.name} is computed in float32 in about {needed // MIB} MiB of memory, "
            f"{free // MIB} MiB are free: end other programs, or import where there is more"
        )
