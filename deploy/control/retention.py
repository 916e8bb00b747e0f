"""What the controller's stores hold and when they let go: rounds, archived weights, documents, the audit log.

Pruned are texts and weights. What says that something was, and how it was decided, stays: a round's summaries, a
version's manifest with its lineage, every entry of the audit log.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

from deploy.control.context import ControlContext
from deploy.life.config import RolloutConfig
from deploy.life.deployment import Deployment
from deploy.registry.config import RegistryConfig
from deploy.registry.manifest import OWN
from deploy.rounds.forgetting import TARGETS
from deploy.rounds.record import Round
from deploy.routing.documents_file import KEPT
from understudy.errors import Unavailable
from understudy.files import READY, sync_folder
from understudy.retention import StoreUse, file_bytes, folder_bytes
from understudy.state import StateDir

SUMMED_UP = frozenset({READY, "summary.json", "round.json"})
"""Files of a round that outlive its pruning."""


SUMS = 3600.0
"""Seconds between two looks for sums that may go."""


class PruneSums:
    """The step by which the KPIs' sums follow the weights of a version, `seconds` after those went.

    That is later than any feedback on it, so nothing is added to what is gone. `forget` removes the sums of versions
    and returns those that had any.
    """

    def __init__(self, forget: Callable[[list[str]], list[str]], seconds: float) -> None:
        self._forget = forget
        self._seconds = seconds
        self._due = 0.0

    def __call__(self, context: ControlContext) -> None:
        """Look once an hour; where Redis is away, at the next look."""
        if context.clock() < self._due:
            return
        self._due = context.clock() + SUMS
        deployment = context.deployment
        gone = weights_gone(deployment.folder, deployment.clock() - self._seconds)
        with contextlib.suppress(Unavailable):
            if forgotten := self._forget(gone) if gone else []:
                deployment.audit.keep("retention.pruned", "controller", sums=forgotten)


def weights_gone(folder: StateDir, before: float) -> list[str]:
    """Archived versions of which only what says that they were has been left since `before` (wall clock)."""
    archive = folder.registry / "archive"
    return sorted(
        path.name
        for path in archive.glob("[!.]*")
        if path.is_dir() and path.stat().st_ctime < before and {file.name for file in _files(path)} <= OWN
    )


def in_use(deployment: Deployment) -> set[str]:
    """Versions that are live, on their way, former, or wanted or loaded in a slot."""
    state = deployment.state
    coming = [state.canary.version if state.canary else None, state.operation.target if state.operation else None]
    loaded = [beat.version for beat in deployment.beats.values()]
    used = {state.stable, state.unfit, state.teacher, *state.previous, *coming, *state.slots.values(), *loaded}
    return {version for version in used if version is not None}


def prune(deployment: Deployment, rules: RegistryConfig) -> None:
    """Let go of old rounds' texts and weights and of old archived weights; audited where something went."""
    used = in_use(deployment)
    folder = deployment.folder
    every = deployment.rounds.all()
    rounds = [n for n in old_rounds(every, used, rules.keep_rounds) if _drop_round(folder, n)]
    if rounds:
        _drop_targets(folder, min((one.started for one in every if one.id not in rounds), default=deployment.clock()))
    archived = [name for name in old_archived(folder, used, rules.keep_archived) if _drop_weights(folder, name)]
    if rounds or archived:
        deployment.audit.keep("retention.pruned", "controller", rounds=rounds, archived=archived)


def old_rounds(rounds: Collection[Round], used: Collection[str], keep: int) -> list[int]:
    """Finished rounds beyond the newest `keep`, less those whose candidate is in use."""
    over = sorted((one for one in rounds if one.finished), key=lambda one: one.id, reverse=True)
    return [one.id for one in over[keep:] if one.candidate not in used]


def old_archived(folder: StateDir, used: Collection[str], keep: int) -> list[str]:
    """Archived versions beyond those that were put away last."""
    found = [path for path in (folder.registry / "archive").glob("[!.]*") if path.is_dir() and path.name not in used]
    return [path.name for path in sorted(found, key=lambda path: path.stat().st_ctime, reverse=True)[keep:]]


def store_uses(folder: StateDir, rules: RegistryConfig, rollout: RolloutConfig) -> list[StoreUse]:
    """Size and rule of every store that the controller keeps, for `doctor` and the table of retention."""
    registry = folder.registry
    audit = [*registry.glob("audit.jsonl*")]
    around = f"cuts, where their lines go on, and {rollout.keep_versions} more"
    return [
        _folder(registry, "versions", f"live, candidate, three former ones, {around}; then archived"),
        _folder(registry, "archive", f"weights of {rules.keep_archived} versions; of older ones the manifest"),
        _folder(registry, "rounds", f"texts and weights of {rules.keep_rounds} rounds; of older ones summaries"),
        _folder(registry, "judged", "a file a version with the last 4000 rows it was judged on"),
        _folder(registry, "experiments", "all, applied and stopped"),
        _folder(registry, "routing", f"the last {KEPT} documents"),
        StoreUse(
            "audit log", "registry/audit.jsonl*", sum(map(file_bytes, audit)), len(audit),
            f"all entries; a new file every {rules.audit_bytes >> 20} MiB",
        ),
    ]  # fmt: skip


def _folder(registry: Path, name: str, rule: str) -> StoreUse:
    folder = registry / name
    items = sum(1 for _ in folder.glob("[!.]*"))
    return StoreUse(name, f"registry/{name}/", folder_bytes(folder), items, rule)


def _drop_round(folder: StateDir, number: int) -> bool:
    """Remove what a round made; whether there was something."""
    return _emptied(folder.rounds / str(number), SUMMED_UP)


def _drop_targets(folder: StateDir, before: float) -> None:
    """Remove cached targets that nobody used since `before`: they are those of texts that went with their rounds."""
    for path in (folder.rounds / TARGETS).glob("*/*"):
        with contextlib.suppress(FileNotFoundError):
            if path.stat().st_mtime < before:
                path.unlink()


def _drop_weights(folder: StateDir, version: str) -> bool:
    return _emptied(folder.registry / "archive" / version, OWN)


def _emptied(folder: Path, keep: Collection[str]) -> bool:
    """Remove all files below `folder` but those called as in `keep`, and folders that are left without any."""
    doomed = [path for path in _files(folder) if path.name not in keep]
    for path in doomed:
        path.unlink(missing_ok=True)
    for path in sorted((p for p in folder.rglob("*") if p.is_dir() and not p.is_symlink()), reverse=True):
        if not any(path.iterdir()):
            shutil.rmtree(path, ignore_errors=True)
    if doomed:
        sync_folder(folder)
    return bool(doomed)


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.is_symlink() or path.is_file())
