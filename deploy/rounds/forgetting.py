"""What rounds keep of a tenant, taken away when the tenant is purged; and which versions learned from it.

Rows and targets are sealed, so the destroyed key has made them unreadable already. This removes them, with what was
made of them: the teacher's targets (tokens are texts in another alphabet) and the masked prompts that lead clusters. A
round under way that draws on the tenant is to be ended by the caller; weights that learned stay as they are.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from understudy.files import read_json, write_atomic, write_json
from understudy.ids import stable_id

ROWS = ("select/train.jsonl", "select/holdout.jsonl", "select/development.jsonl")
TOLD = ("select/clusters.json", "select/summary.json")
"""Files that name clusters by their leaders' prompts."""
RESERVOIR = "kept/reservoir.jsonl"
DAMAGED = ".damaged"
"""Ending of a reservoir that could not be read, of whatever tenants; nothing reads it again."""
TARGETS = "kept/targets"
FORMER = "??"
"""Folders of targets as a release before this one kept them, of all tenants and unsealed."""


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What went."""

    rounds: tuple[int, ...] = ()
    """Those whose rows held some of the tenant; their targets are gone, so that they cannot be repeated."""
    rows: int = 0
    prompts: int = 0
    """Leaders of clusters."""


class Trained(Protocol):
    """What a version says of its origin; `deploy.registry.manifest.Manifest` does."""

    @property
    def version(self) -> str: ...
    @property
    def parent(self) -> str | None: ...
    @property
    def round(self) -> int | None: ...
    @property
    def created(self) -> float: ...
    @property
    def lineage(self) -> dict[str, Any]: ...


def forget_rounds(root: Path, tenant: str) -> Forgotten:
    """Take the tenant out of the files under `root` (`registry/rounds`). Done again it does no harm."""
    touched, rows = [], 0
    for folder in sorted(root.glob("[0-9]*")):
        gone = sum(_without_rows(folder / name, tenant) for name in ROWS)
        if gone:
            touched.append(int(folder.name))
            rows += gone
            for shard in folder.glob("score/shard-*"):
                shard.unlink(missing_ok=True)
    rows += _without_rows(root / RESERVOIR, tenant)
    leaders = _leaders(root / RESERVOIR, tenant)
    for folder in root.glob("[0-9]*"):
        for name in TOLD:
            _without_prompts(folder / name, tenant, leaders)
    gone = _without_leaders(root / RESERVOIR, tenant)
    (root / RESERVOIR).with_suffix(DAMAGED).unlink(missing_ok=True)
    shutil.rmtree(targets_of(root / TARGETS, tenant), ignore_errors=True)
    for folder in (root / TARGETS).glob(FORMER):
        shutil.rmtree(folder, ignore_errors=True)
    return Forgotten(tuple(touched), rows, gone)


def targets_of(folder: Path, tenant: str) -> Path:
    """Where in `folder` the targets of a tenant's texts are kept from round to round."""
    return folder / stable_id("tenant", tenant)


def draws_on(root: Path, number: int, tenant: str) -> bool:
    """Whether the rows of round `number` hold some of the tenant."""
    return any(_is_of(line, tenant) for name in ROWS for line in _lines(root / str(number) / name))


def learned_from(manifests: Iterable[Trained], root: Path, tenant: str) -> tuple[list[str], list[str]]:
    """Versions whose round trained on the tenant, and those that were trained from their weights; oldest first.

    To be asked before the rows are taken away. What a version's lineage says of tenants counts as its rows do.
    """
    ordered = sorted(manifests, key=lambda manifest: manifest.created)
    learned = [m.version for m in ordered if _trained_on(m, root, tenant)]
    inherited: list[str] = []
    for manifest in ordered:
        if manifest.version not in learned and manifest.parent in (*learned, *inherited):
            inherited.append(manifest.version)
    return learned, inherited


def _trained_on(manifest: Trained, root: Path, tenant: str) -> bool:
    if tenant in manifest.lineage.get("tenants", ()):
        return True
    return manifest.round is not None and any(
        _is_of(line, tenant) for line in _lines(root / str(manifest.round) / ROWS[0])
    )


def _lines(path: Path) -> list[bytes]:
    try:
        return path.read_bytes().split(b"\n")
    except FileNotFoundError:
        return []


def _is_of(line: bytes, tenant: str) -> bool:
    try:
        return bool(line) and json.loads(line).get("tenant") == tenant
    except ValueError:
        return False


def _without_rows(path: Path, tenant: str) -> int:
    lines = _lines(path)
    kept = [line for line in lines if not _is_of(line, tenant)]
    if len(kept) < len(lines):
        write_atomic(path, b"\n".join(kept))
    return len(lines) - len(kept)


def _leaders(path: Path, tenant: str) -> Sequence[str]:
    """Ids of the clusters that the tenant leads, and masked prompts where the release before this one wrote them."""
    head = _head(path)
    owned = zip(head.get("leaders", ()), head.get("owners", ()), strict=False)
    ids = [led["id"] for led in head.get("led", ()) if led["tenant"] == tenant]
    return [*ids, *(prompt for prompt, owner in owned if owner == tenant and prompt)]


def _without_leaders(path: Path, tenant: str) -> int:
    """Blank the tenant's leaders in the reservoir's head, for clusters go by their places; how many there were.

    To be done last: it is what tells which prompts have to go elsewhere.
    """
    head, gone = _head(path), 0
    for led in head.get("led", ()):
        if led["tenant"] == tenant and (led.pop("sealed", "") or led.get("prompt")):
            gone, led["prompt"] = gone + 1, ""
    for place, owner in enumerate(head.get("owners", ())):
        if owner == tenant and head["leaders"][place]:
            gone, head["leaders"][place] = gone + 1, ""
    if gone:
        write_atomic(path, b"\n".join([json.dumps(head, ensure_ascii=False).encode(), *_lines(path)[1:]]))
    return gone


def _head(path: Path) -> dict[str, Any]:
    """The first line of a reservoir; nothing where there is none, or it is damaged."""
    try:
        found = json.loads(_lines(path)[0])
        return found if isinstance(found, dict) else {}
    except (IndexError, ValueError):
        return {}


def _without_prompts(path: Path, tenant: str, leaders: Sequence[str]) -> None:
    """Blank what the tenant's prompts name, sealed or not."""
    try:
        value = read_json(path)
    except (FileNotFoundError, ValueError):
        return
    changed = False
    for entry in _entries(value):
        ours = entry.get("tenant") == tenant or entry.get("cluster") in leaders or _leads(entry, leaders)
        if ours and (entry.pop("sealed", "") or entry.get("prompt")):
            entry["prompt"], changed = "", True
    if changed:
        write_json(path, value)


def _leads(entry: dict[str, Any], leaders: Sequence[str]) -> bool:
    prompt = str(entry.get("prompt") or "")
    return bool(prompt) and any(leader.startswith(prompt) for leader in leaders)


def _entries(value: Any) -> Iterator[dict[str, Any]]:
    """Objects of a JSON value that hold a prompt, or a sealed one."""
    if isinstance(value, dict):
        if isinstance(value.get("prompt"), str) or "sealed" in value:
            yield value
        for item in value.values():
            yield from _entries(item)
    elif isinstance(value, list):
        for item in value:
            yield from _entries(item)
