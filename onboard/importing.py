"""A folder, a GGUF file or an adapter becomes a version: streamed into a draft, fingerprinted, signed, registered."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from deploy.engines.fingerprint import FINGERPRINT_FILE
from deploy.registry.manifest import Kind, Manifest
from deploy.registry.store import Registry
from onboard import fitting
from onboard.checks.architecture import require_taught
from onboard.convert import converting
from onboard.examine import Examined, examine, planned
from onboard.foreseen import ForeseenModel, foresee
from onboard.refusal import ModelRefused
from onboard.source.files import digest
from onboard.source.settings import read_object, template_file
from onboard.source.tensors import INDEX
from onboard.write.draft import Draft, full_disk_named
from onboard.write.numbers import NAMES
from onboard.write.streaming import Advance, file_size
from serving.engine.config import EnginesConfig
from serving.engine.launch.obstacles import free_bytes
from understudy.process.lock import ProcessLock
from understudy.state import StateDir

KeptDtype = Literal["keep", "float32", "bfloat16", "float16"]
Show = Callable[[str, int], Advance]
"""Announces a step and how many bytes it will read; returns what is told of bytes that were read."""
COPIED = ("generation_config.json", "tokenizer.json", "special_tokens_map.json")


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """What the command line asked for; `base` is the folder that a LoRA adapter belongs to."""

    kind: Kind
    dtype: KeptDtype = "keep"
    template: Path | None = None
    base: Path | None = None
    elsewhere: bool = False

    @property
    def facts(self) -> dict[str, Any]:
        """What decides the content of the version.

        Raises:
            ModelRefused: the template cannot be read.
        """
        template = hashlib.sha256(template_file(self.template).encode()).hexdigest() if self.template else None
        return {"kind": self.kind, "dtype": self.dtype, "template": template}


@dataclass(frozen=True, slots=True)
class ImportedVersion:
    """The version's manifest, and whether it was there before."""

    manifest: Manifest
    known: bool


def import_model(
    state: StateDir, path: Path, options: ImportOptions, engines: EnginesConfig, show: Show
) -> ImportedVersion:
    """Make a version of the model at `path`; the same model with the same options is the same version.

    Raises:
        ModelRefused: it cannot be used, or was changed meanwhile; nothing was registered.
        NoRoom: the disk is full; the same command goes on where it stopped.
        Conflict: another process imports it.
    """
    name = hashlib.sha256(json.dumps([str(path.resolve()), str(options.base), options.facts]).encode()).hexdigest()[:16]
    home = state.registry / "imports"
    lock = ProcessLock(home / f"{name}.lock", f"{path} is being imported by process {{pid}}: wait for it")
    converted = home / f"{name}.converted"
    with lock, full_disk_named(home):
        foreseen = foresee(path, options.base, options.template)
        registry = Registry(state)
        require_useful(foreseen, options, registry, engines)
        if foreseen.examined is None:
            fitting.require_memory(path, foreseen.shape.weights, free_bytes())
            converting.require_room_for_both(converted, home / name, *foreseen.written(options.dtype))
        try:
            folder, origin = converting.folder_of(path, options.base, converted, options.dtype, show)
            model = foreseen.examined or examine(folder, options.template)
            found = _imported(registry, model, origin, home / name, options, show)
        except ModelRefused:
            converting.clear(converted)
            raise
        converting.clear(converted)
    return found


def require_useful(foreseen: ForeseenModel, options: ImportOptions, registry: Registry, engines: EnginesConfig) -> None:
    """Raises ModelRefused for a model that the arm which was asked for could not use here."""
    if options.kind == "student":
        require_taught(f"{foreseen.place} cannot be a student", foreseen.untaught)
    if not options.elsewhere:
        other: Kind = "student" if options.kind == "teacher" else "teacher"
        found = fitting.fit(foreseen.shape, options.kind, fitting.registered(registry, other), engines)
        fitting.require_fit(found, options.kind, engines)


def _imported(
    registry: Registry, model: Examined, origin: dict[str, Any], place: Path, options: ImportOptions, show: Show
) -> ImportedVersion:
    hashes = model.source.hashes(show("reading", model.source.bytes))
    whole = digest(origin.get("files") or hashes)
    if (known := _known(registry, whole, options)) is not None:
        return ImportedVersion(known, True)
    fitting.require_memory(model.source.folder, model.shape.weights, free_bytes())
    stamps = {name: asdict(stamp) for name, stamp in model.source.stamps.items()}
    draft = Draft(place, {"stamps": stamps, "options": options.facts, "left": model.left})
    try:
        write(model, draft, options.dtype, show)
        model.source.require_unchanged()
        fingerprint(draft.files, model.shape.weights, show)
        model.source.require_unchanged()
    except ModelRefused:
        draft.drop()
        raise
    lineage = {
        "origin": "imported", "format": "safetensors", "source": str(model.source.folder.resolve()), "files": hashes,
        **origin, "digest": whole, "options": options.facts, "architecture": model.architecture,
        "dtype": {"stored": model.dtypes, "kept": options.dtype}, "untied": model.unties, "left_out": model.left,
        "control_tokens": model.tokens.control,
    }  # fmt: skip
    manifest = registry.register(
        draft.files, kind=options.kind, parent=None, teacher=None, round=None, lineage=lineage, metrics={}, take=True
    )
    draft.drop()
    return ImportedVersion(manifest, False)


def write(model: Examined, draft: Draft, dtype: str, show: Show) -> None:
    """Fill the draft with weights, settings, tokenizer and template.

    Raises:
        ModelRefused: a value that is no finite number.
        NoRoom: not enough room on the disk.
    """
    files = planned(model, dtype)
    draft.require_room(sum(map(file_size, files.values())))
    advance = show("copying", sum(t.place.size for file in files.values() for t in file))
    for name, tensors in files.items():
        draft.weights(name, tensors, advance)
    if len(files) > 1:
        places = {tensor.name: name for name, file in files.items() for tensor in file}
        total = sum(tensor.size for file in files.values() for tensor in file)
        draft.text(INDEX, json.dumps({"metadata": {"total_size": total}, "weight_map": places}, indent=1))
    for name in COPIED:
        if model.source.has(name):
            draft.text(name, (model.source.folder / name).read_bytes())
    _settings(model, draft, dtype)


def _settings(model: Examined, draft: Draft, dtype: str) -> None:
    kept = {key: value for key, value in model.settings.items() if key != "torch_dtype"}
    stored = model.settings.get("dtype") or model.settings.get("torch_dtype")
    names = {short: long for long, short in NAMES.items()}
    kept["dtype"] = dtype if dtype != "keep" else stored or names.get(model.dtypes[0], "float32")
    if model.unties:
        # Tied embeddings make an in-place load on a CPU serve the old head.
        kept["tie_word_embeddings"] = False
        if isinstance(kept.get("text_config"), dict):
            kept["text_config"] = {**kept["text_config"], "tie_word_embeddings": False}
    draft.text("config.json", json.dumps(kept, indent=2) + "\n")
    tokenizer = dict(read_object(model.source, "tokenizer_config.json") or {})
    tokenizer.pop("chat_template", None)
    draft.text("tokenizer_config.json", json.dumps(tokenizer, ensure_ascii=False, indent=2) + "\n")
    draft.text("chat_template.jinja", model.template)


def fingerprint(folder: Path, weights: int, show: Show, parent: Path | None = None) -> None:
    """Record what transformers computes from the files, so that an engine can be compared with it.

    Raises:
        ModelRefused: the model does not fit into memory, or gives no numbers.
    """
    fitting.require_memory(folder, weights, free_bytes())
    from online_distill import models
    from online_distill.evaluate.fingerprint import record

    size = sum(path.stat().st_size for path in folder.glob("*.safetensors"))
    done = show("fingerprint", size)
    models.prepare(1)
    record(folder, parent, folder / FINGERPRINT_FILE)
    done(size)


def _known(registry: Registry, whole: str, options: ImportOptions) -> Manifest | None:
    """The version that the same files with the same options became before."""
    for manifest in registry.versions():
        same = manifest.lineage.get("digest") == whole and manifest.lineage.get("options") == options.facts
        if same and manifest.kind == options.kind:
            return manifest
    return None
