"""A first student cut from a teacher: some of its layers, the rest of it whole. It speaks nonsense until it is taught.

Evenly spread layers with the first and the last, as DistilBERT began (Sanh et al. 2019).
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from typing import Any

from deploy.life.kept.store import RolloutFiles
from deploy.registry.manifest import Manifest
from deploy.registry.store import Registry
from deploy.routing.document import EXTERNAL
from onboard import fitting
from onboard.checks import architecture, weights
from onboard.importing import ImportedVersion, Show, fingerprint
from onboard.refusal import ModelRefused
from onboard.source.files import SourceFiles, look
from onboard.source.settings import settings, text
from onboard.source.tensors import TensorPlace, places
from onboard.write.draft import Draft, full_disk_named
from onboard.write.streaming import PlannedTensor, file_size
from serving.engine.launch.obstacles import free_bytes
from understudy.errors import IntegrityError
from understudy.process.lock import ProcessLock
from understudy.state import StateDir

LAYER = re.compile(r"^(.*?\b(?:layers|h|blocks))\.(\d+)\.(.+)$")
COUNTS = ("num_hidden_layers", "n_layer", "num_layers")
ONE_FILE = "model.safetensors"
COPIED = (
    "generation_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "chat_template.jinja",
)


def spread(total: int, count: int) -> tuple[int, ...]:
    """`count` of `total` layers, evenly spread, first and last among them.

    Raises:
        ModelRefused: fewer than two, or not fewer than there are.
    """
    if not 2 <= count < total:
        raise ModelRefused(
            f"--layers {count} cannot be cut from {total} layers: give 2 to {total - 1}: first and last always stay"
        )
    return tuple(round(i * (total - 1) / (count - 1)) for i in range(count))


def named(total: int, keep: Sequence[int]) -> tuple[int, ...]:
    """The layers that somebody names, checked.

    Raises:
        ModelRefused: a layer twice or unknown, none, or all of them.
    """
    wrong = sorted({layer for layer in keep if not 0 <= layer < total})
    if wrong or len(set(keep)) != len(keep) or not 0 < len(keep) < total:
        said = f"{wrong[0]} is none of them" if wrong else "name each once, and not all"
        raise ModelRefused(f"--keep {','.join(map(str, keep))}: the teacher has layers 0 to {total - 1}; {said}")
    return tuple(sorted(keep))


def cut(state: StateDir, version: str, layers: int | None, keep: Sequence[int] | None, show: Show) -> ImportedVersion:
    """Register a student of some layers of the teacher `version`, unfit until it has learned.

    Raises:
        NotFound: no such version.
        IntegrityError: it is not what was registered.
        ModelRefused: layers that cannot be cut so, a model whose layers are not told apart by name, or of a kind that
            cannot be taught.
        NoRoom: the disk is full.
    """
    registry = Registry(state)
    parent = registry.verify(version)
    if parent.kind != "teacher":
        raise ModelRefused(f"{version} is a student: cut the teacher, such as `understudy models cut t1 --layers 8`")
    source = look(registry.path(version))
    total = depth(text(settings(source)))
    kept = named(total, keep) if keep is not None else spread(total, layers or 0)
    whole = digest(parent, kept)
    for manifest in registry.versions():
        if manifest.lineage.get("digest") == whole:
            return ImportedVersion(manifest, True)
    _require_taught(version, source)
    home = state.registry / "imports"
    place = home / f"cut-{whole[:16]}"
    with (
        ProcessLock(home / f"{place.name}.lock", f"{version} is being cut so by process {{pid}}"),
        full_disk_named(home),
    ):
        draft = Draft(place, {"cut": whole})
        try:
            _write(source, draft, kept, total, show)
        except (ModelRefused, IntegrityError):
            draft.drop()
            raise
        lineage = {
            "origin": "cut", "source": version, "layers": kept, "of": total, "digest": whole, "fitness": "unfit",
            "note": "; ".join(filter(None, [f"unfit: {len(kept)} of {total} layers of {version}", parent.note])),
            "control_tokens": parent.lineage.get("control_tokens", ()),
        }  # fmt: skip
        made = registry.register(
            draft.files, kind="student", parent=version, teacher=version, round=None, lineage=lineage, metrics={},
            take=True,
        )  # fmt: skip
        draft.drop()
    return ImportedVersion(made, False)


def _require_taught(version: str, source: SourceFiles) -> None:
    name, wanted = architecture.require_known(settings(source)), weights.expected(source.folder)
    why = architecture.untaught(name, shares_head=weights.HEAD in wanted.tied, renamed=wanted.renamed)
    architecture.require_taught(f"no student can be cut from {version}", why)


def depth(described: dict[str, Any]) -> int:
    """Layers that config.json names.

    Raises:
        ModelRefused: it names none.
    """
    for name in COUNTS:
        if isinstance(described.get(name), int):
            return int(described[name])
    raise ModelRefused("config.json does not say how many layers there are, so none can be cut")


def digest(parent: Manifest, kept: Sequence[int]) -> str:
    """What tells one cut from another."""
    files = {name: entry.sha256 for name, entry in parent.files.items()}
    return hashlib.sha256(json.dumps([files, list(kept)], sort_keys=True).encode()).hexdigest()


def _write(source: SourceFiles, draft: Draft, kept: Sequence[int], total: int, show: Show) -> None:
    found = places(source)
    tensors = renumbered(found, kept, total)
    weights_kept = sum(tensor.place.elements for tensor in tensors)
    fitting.require_memory(source.folder, weights_kept, free_bytes())
    draft.require_room(file_size(tensors))
    draft.text("config.json", json.dumps(shortened(settings(source), kept, total), indent=2) + "\n")
    written = {t.name: TensorPlace(t.place.file, t.name, t.dtype, t.place.shape, 0, 0) for t in tensors}
    weights.compare(weights.expected(draft.files), written)
    draft.weights(ONE_FILE, tensors, show("copying", sum(tensor.place.size for tensor in tensors)))
    for name in COPIED:
        if source.has(name):
            draft.text(name, (source.folder / name).read_bytes())
    fingerprint(draft.files, weights_kept, show)


def renumbered(found: dict[str, TensorPlace], kept: Sequence[int], total: int) -> list[PlannedTensor]:
    """Tensors of the kept layers under their new numbers, and all that belong to no layer.

    Raises:
        ModelRefused: the names do not tell `total` layers apart.
    """
    numbers = {old: new for new, old in enumerate(kept)}
    planned, seen = [], set()
    for name, place in sorted(found.items(), key=lambda item: (item[1].file.name, item[1].start)):
        layer = LAYER.match(name)
        if layer is None:
            planned.append(PlannedTensor(name, place, place.dtype))
            continue
        seen.add(int(layer[2]))
        if int(layer[2]) in numbers:
            renamed = f"{layer[1]}.{numbers[int(layer[2])]}.{layer[3]}"
            planned.append(PlannedTensor(renamed, place, place.dtype))
    if seen != set(range(total)):
        raise ModelRefused(
            f"config.json says {total} layers, the tensors' names tell {len(seen)}: such a model cannot be cut here; "
            "bring a student of your own"
        )
    return planned


def shortened(found: dict[str, Any], kept: Sequence[int], total: int) -> dict[str, Any]:
    """config.json with the new number of layers; lists with an entry a layer lose those of the layers that go."""
    inner = {
        name: [value[layer] for layer in kept] if isinstance(value, list) and len(value) == total else value
        for name, value in text(found).items()
    }
    inner |= {name: len(kept) for name in COUNTS if name in inner}
    if isinstance(inner.get("max_window_layers"), int):
        inner["max_window_layers"] = min(inner["max_window_layers"], len(kept))
    return inner if text(found) is found else {**found, "text_config": inner}


def others_unfit(state: StateDir, version: str) -> list[str]:
    """Other unfit students, newest first, beside which `version` was cut."""
    return [m.version for m in Registry(state).versions() if m.unfit and m.version != version]


def live_student(state: StateDir) -> str | None:
    """The student that is live by the controller's last word, beside which no cut learns; None without one."""
    try:
        decided = RolloutFiles(state.registry).load()
    except IntegrityError:
        return None
    return None if decided is None or decided.stable == EXTERNAL else decided.stable
