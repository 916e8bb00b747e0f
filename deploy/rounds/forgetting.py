"""What rounds keep of a tenant, taken away when the tenant is purged; and which versions learned from it.

Rows are sealed, so the destroyed key has made them unreadable already. This removes them, with what was made of
them: the teacher's targets (tokens are texts in another alphabet) and the masked prompts that lead clusters. A
round under way that draws on the tenant is to be ended by the caller; weights that learned stay as they are.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from understudy.files import read_json, write_atomic, write_json

ROWS = ("select/train.jsonl", "select/holdout.jsonl")
TOLD = ("select/clusters.json", "select/summary.json")
"""Files that name clusters by their leaders' prompts."""
RESERVOIR = "kept/reservoir.jsonl"
TARGETS = "kept/targets"


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
            for shard in folder.glob("score/*.npz"):
                shard.unlink(missing_ok=True)
    leaders = _without_leaders(root / RESERVOIR, tenant)
    rows += _without_rows(root / RESERVOIR, tenant)
    if leaders:
        for folder in root.glob("[0-9]*"):
            for name in TOLD:
                _without_prompts(folder / name, leaders)
    if rows:
        shutil.rmtree(root / TARGETS, ignore_errors=True)
    return Forgotten(tuple(touched), rows, len(leaders))


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


def _without_leaders(path: Path, tenant: str) -> set[str]:
    """Blank the tenant's leaders in the reservoir's head, for clusters go by their places; those that went."""
    lines = _lines(path)
    if not lines:
        return set()
    head: dict[str, Any] = json.loads(lines[0])
    owners = head.get("owners", [])
    gone = {lead for lead, owner in zip(head["leaders"], owners, strict=False) if owner == tenant and lead}
    if gone:
        pairs = list(zip(head["leaders"], owners, strict=False))
        head["leaders"] = ["" if owner == tenant else lead for lead, owner in pairs] + head["leaders"][len(pairs) :]
        write_atomic(path, b"\n".join([json.dumps(head, ensure_ascii=False).encode(), *lines[1:]]))
    return gone


def _without_prompts(path: Path, leaders: set[str]) -> None:
    try:
        value = read_json(path)
    except (FileNotFoundError, ValueError):
        return
    changed = [entry for entry in _entries(value) if _leads(entry["prompt"], leaders)]
    for entry in changed:
        entry["prompt"] = ""
    if changed:
        write_json(path, value)


def _leads(prompt: str, leaders: set[str]) -> bool:
    return bool(prompt) and any(leader.startswith(prompt) for leader in leaders)


def _entries(value: Any) -> Iterator[dict[str, Any]]:
    """Objects of a JSON value that hold a prompt."""
    if isinstance(value, dict):
        if isinstance(value.get("prompt"), str):
            yield value
        for item in value.values():
            yield from _entries(item)
    elif isinstance(value, list):
        for item in value:
            yield from _entries(item)
