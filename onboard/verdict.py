"""What `understudy models check` says of a model: what it is, what it costs, what can be done with it here."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from deploy.registry.manifest import Kind
from deploy.registry.store import Registry
from onboard import fitting
from onboard.checks import architecture
from onboard.convert import adapters, converting, gguf
from onboard.examine import Examined, examine
from onboard.refusal import ModelRefused
from onboard.source.files import look, require_inside
from serving.engine import compat
from serving.engine.config import EnginesConfig
from serving.engine.sizes import MIB, EngineSize, ModelShape, described

HEADS = {"attention.head_count": "num_attention_heads", "attention.head_count_kv": "num_key_value_heads",
         "attention.key_length": "head_dim", "block_count": "num_hidden_layers", "embedding_length": "hidden_size",
         "context_length": "max_position_embeddings"}  # fmt: skip
"""Settings of a GGUF that sizes depend on, as config.json calls them."""


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
    form = converting.form(path)
    if form == "gguf":
        facts, shape, obstacles = _gguf(path)
    else:
        folder = adapters.base_of(path, base) if form == "adapter" else path
        if form == "adapter":
            adapters.require_lora(look(path))
        model = examine(folder, template)
        facts, shape, obstacles = _facts(path, form, model), model.shape, _obstacles(model)
    other: Kind = "student" if kind == "teacher" else "teacher"
    sizes = {arm: fitting.fit(shape, arm, fitting.EMPTY, engines) for arm in ("teacher", "student")}
    found = fitting.fit(shape, kind, fitting.registered(registry, other), engines)
    try:
        fitting.require_fit(found, kind, engines)
    except ModelRefused as refusal:
        obstacles["serve"] = obstacles["serve"] or refusal.message
    arms = {"teacher": sizes["teacher"].teacher, "student": sizes["student"].student}
    return ModelVerdict(kind, facts, arms, found.needed, found.memory, obstacles)


def _facts(path: Path, form: str, model: Examined) -> dict[str, Any]:
    return {
        "path": str(path), "form": form, "architecture": model.architecture, "layers": model.layers,
        "weights": model.shape.weights, "numbers": model.dtypes, "tokens": model.tokens.size,
        "longest text": model.shape.longest, "control tokens": model.tokens.control,
        "head": "its own" if model.shared_head is None else "tied; untied at the import" if model.unties else "tied",
    }  # fmt: skip


def _obstacles(model: Examined) -> dict[str, str | None]:
    tied = architecture.tied(model.architecture, shares_head=model.shared_head is not None)
    return {"serve": None, "train": model.untaught, "swap_in_place": tied or compat.unproven()}


def _gguf(path: Path) -> tuple[dict[str, Any], ModelShape, dict[str, str | None]]:
    file = path if path.is_file() else converting.only_gguf(path) or path
    require_inside(file, file.parent)
    found = gguf.read(file)
    prefix = f"{found.architecture}."
    settings = {name: found.metadata.get(prefix + key) for key, name in HEADS.items()}
    tokens = len(found.metadata[gguf.TOKENS])
    untied = tokens * int(settings["hidden_size"] or 0) if not found.has_head else 0
    weights = found.weights + untied
    note = f"dequantised from {found.quantisation}" if found.quantised else "kept"
    facts = {
        "path": str(file), "form": "gguf", "architecture": found.architecture,
        "layers": settings["num_hidden_layers"], "weights": weights, "numbers": (found.quantisation, note),
        "tokens": tokens, "longest text": settings["max_position_embeddings"],
        "conversion": f"about {_mib(found.weights * gguf.BYTES_BY_WEIGHT)} of memory",
    }  # fmt: skip
    obstacles: dict[str, str | None] = {"serve": None, "train": None, "swap_in_place": compat.unproven()}
    return facts, described(settings, weights, 2 * weights), obstacles


def _mib(size: int) -> str:
    return f"{size / MIB:,.0f} MiB"
