"""What `understudy models check` says of a model: what it is, what it costs, what can be done with it here."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from deploy.registry.manifest import Kind
from deploy.registry.store import Registry
from onboard import fitting
from onboard.foreseen import ForeseenModel, foresee
from onboard.refusal import ModelRefused
from serving.engine import compat
from serving.engine.config import EnginesConfig
from serving.engine.sizes import MIB, EngineSize


@dataclass(frozen=True, slots=True)
class ModelVerdict:
    """`facts` as they are printed; `obstacles` by what they stand in the way of: serve, train, swap_in_place."""

    kind: Kind
    facts: dict[str, Any]
    sizes: dict[str, EngineSize]
    needed: int
    memory: int
    obstacles: dict[str, str | None]

    @property
    def ok(self) -> bool:
        """Whether it can be imported and served here, in the arm that was asked for; a student must learn, too."""
        needed = ("serve", "train") if self.kind == "student" else ("serve",)
        return all(self.obstacles[what] is None for what in needed)

    def as_json(self) -> dict[str, Any]:
        """The same for programs; bytes throughout."""
        sizes = {arm: {**asdict(size), "total": size.total} for arm, size in self.sizes.items()}
        can = {what: {"ok": why is None, "why": why} for what, why in self.obstacles.items()}
        return {
            "ok": self.ok, **self.facts, "sizes": sizes,
            "three_engines": {"needed": self.needed, "memory": self.memory}, "can": can,
        }  # fmt: skip

    def __str__(self) -> str:
        lines = [f"{name:<16}{', '.join(map(str, v)) if isinstance(v, tuple) else v}" for name, v in self.facts.items()]
        for arm, size in self.sizes.items():
            parts = f"weights {_mib(size.weights)}, once more to load {_mib(size.loading)}, key-value cache "
            parts += f"{_mib(size.kv_cache)} ({size.cached_tokens} tokens), engine {_mib(size.overhead)}"
            lines.append(f"{'as ' + arm:<16}{_mib(size.total)} an engine: {parts}")
        lines.append(f"{'three engines':<16}{_mib(self.needed)} of {_mib(self.memory)}")
        lines += [
            f"{what.replace('_', ' '):<16}{'yes' if why is None else f'no: {why}'}"
            for what, why in self.obstacles.items()
        ]
        return "\n".join(lines)


def judge(
    path: Path, kind: Kind, registry: Registry, engines: EnginesConfig, template: Path | None, base: Path | None
) -> ModelVerdict:
    """Look at the model at `path` as it would be served in the arm `kind` beside what is registered.

    Raises:
        ModelRefused: it cannot be imported at all.
    """
    model = foresee(path, base, template)
    facts, shape, obstacles = _facts(model), model.shape, _obstacles(model)
    other: Kind = "student" if kind == "teacher" else "teacher"
    sizes = {arm: fitting.fit(shape, arm, fitting.EMPTY, engines) for arm in ("teacher", "student")}
    found = fitting.fit(shape, kind, fitting.registered(registry, other), engines)
    try:
        fitting.require_fit(found, kind, engines)
    except ModelRefused as refusal:
        obstacles["serve"] = obstacles["serve"] or refusal.message
    arms = {"teacher": sizes["teacher"].teacher, "student": sizes["student"].student}
    return ModelVerdict(kind, facts, arms, found.needed, found.memory, obstacles)


def _facts(model: ForeseenModel) -> dict[str, Any]:
    tied = "tied" if model.tied else "tied; untied at the import"
    memory = max(model.conversion, fitting.FINGERPRINT_BYTES * model.shape.weights)
    return {
        "path": str(model.place), "form": model.form, "architecture": model.architecture, "layers": model.layers,
        "weights": model.shape.weights, "numbers": model.numbers, "tokens": model.tokens.size,
        "longest text": model.shape.longest, "control tokens": model.tokens.control,
        "head": tied if model.shared_head else "its own",
        "import takes": f"about {_mib(memory)} of free memory",
    }  # fmt: skip


def _obstacles(model: ForeseenModel) -> dict[str, str | None]:
    return {"serve": None, "train": model.untaught, "swap_in_place": model.tied or compat.unproven()}


def _mib(size: int) -> str:
    return f"{size / MIB:,.0f} MiB"
