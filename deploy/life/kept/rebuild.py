"""The controller's state made anew from the audit log and the last routing document; pure.

The audit log says how each version went through its life, so a version that its gate refused stays refused. Where the
log does not hold, or ends before the document, the document says alone which version is live; of the others nothing
is known then, and none becomes live by itself.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, cast

from deploy.audit.chain import ChainEntry
from deploy.life.rollout import advance, allows
from deploy.life.state import HISTORY, ControlState, ExperimentRun, Freeze, GateRecord, PendingEntry, VersionRecord
from deploy.routing.document import RoutingDocument

VERSION = "version."
FREEZES = ("promotion", "learning", "student")
GOES_LIVE = frozenset({"promoted", "chosen", "restored", "adopted"})
LEARNS = frozenset({"taken_up", "learned"})
"""Events after which no student is live and the version learns."""
LOST = "the controller's state was lost"


@dataclass(slots=True)
class _Retold:
    """What the log tells so far."""

    length: int = 0
    stable: str | None = None
    unfit: str | None = None
    previous: list[str] = field(default_factory=list)
    frozen: list[Freeze] = field(default_factory=list)
    bad: dict[str, str] = field(default_factory=dict)
    records: dict[str, VersionRecord] = field(default_factory=dict)
    begun: ChainEntry | None = None
    """A rollback or promotion whose end is not told."""


def rebuild(document: RoutingDocument | None, entries: Iterable[ChainEntry], at: float) -> ControlState:
    """The state as log and document tell it; `stable` is None where neither knows one.

    `document` is the last one that can be read, `entries` the log where its chain holds, else nothing. A candidate on
    its way, and an operation under way, end: what they waited for is not known.
    """
    told = _Retold()
    for entry in entries:
        _replay(told, entry)
        told.length = entry["n"]
    if document is not None and (document.stable or document.unfit) is not None:
        cut = document.audit is not None and document.audit.n > told.length
        if cut or (told.stable or told.unfit) is None:
            _follow(told, document)
    notes: list[tuple[str, str, dict[str, Any]]] = []
    for version, record in told.records.items():
        if record.state in ("loading", "canary"):
            told.records[version] = _moved(record, "aborted", LOST, "controller", at)
            notes.append(("version.aborted", "controller", {"version": version, "why": LOST}))
    if told.begun is not None:
        kind = told.begun["action"].removesuffix(".begun")
        notes.append((f"{kind}.failed", "controller", {"target": told.begun["details"].get("target"), "why": LOST}))
    sources = {"epoch": None if document is None else document.epoch, "stable": told.stable}
    notes.append(("rollout.rebuilt", "controller", sources))
    pending = (
        PendingEntry(id=f"rebuilt-{at:.3f}.{n}", at=at, action=action, actor=actor, details=details)
        for n, (action, actor, details) in enumerate(notes)
    )
    return ControlState(
        teacher=ControlState().teacher if document is None else document.teacher,
        stable=told.stable,
        unfit=told.unfit,
        previous=tuple(v for v in told.previous if v not in told.bad)[:3],
        frozen=tuple(told.frozen if document is None else dict.fromkeys((*told.frozen, *document.frozen))),
        guard=None if document is None else document.guard,
        bad=told.bad,
        versions=told.records,
        experiments={} if document is None else _runs(document),
        pending=tuple(pending),
    )


def _runs(document: RoutingDocument) -> dict[str, ExperimentRun]:
    """Each experiment goes on in its phase."""
    return {name: ExperimentRun(phases=(phase,)) for name, phase in document.phases.items()}


def _replay(told: _Retold, entry: ChainEntry) -> None:
    """Take one entry in; what makes no sense is passed over."""
    action, details = str(entry.get("action")), entry.get("details") or {}
    if action.startswith(VERSION) and isinstance(details.get("version"), str):
        _replay_move(told, details["version"], action.removeprefix(VERSION), details, float(entry["at"]))
    elif action in ("freeze", "resume") and details.get("what") in FREEZES:
        told.frozen = [what for what in told.frozen if what != details["what"]]
        if action == "freeze":
            told.frozen.append(cast("Freeze", details["what"]))
    elif action in ("rollback.begun", "promote.begun"):
        told.begun = entry
        if action == "rollback.begun" and "promotion" not in told.frozen:
            told.frozen.append("promotion")
    elif action.split(".")[0] in ("rollback", "promote"):
        told.begun = None


def _replay_move(told: _Retold, version: str, event: str, details: dict[str, Any], at: float) -> None:
    record = told.records.get(version, VersionRecord())
    if not allows(record.state, event):
        return
    why = str(details.get("why", ""))
    record = _moved(record, event, why, str(details.get("decided_by", "")), at)
    if event in ("gate_passed", "gate_failed", "learned"):
        passed, absolute = event == "gate_passed", told.stable is None and told.unfit is not None
        gate = GateRecord(passed=passed, reasons=() if passed else (why,), absolute=absolute)
        record = record.model_copy(update={"gate": gate})
    told.records[version] = record
    if event == "unloadable":
        told.bad[version] = why
        told.previous = [v for v in told.previous if v != version]
        told.unfit = None if told.unfit == version else told.unfit
    elif event in LEARNS:
        told.previous = [v for v in dict.fromkeys((told.stable, *told.previous)) if v not in (None, version)]
        told.stable, told.unfit = None, version
    elif event == "kept":
        told.previous.append(version)
    elif event in GOES_LIVE:
        line = [v for v in (told.stable, *told.previous) if v is not None and v != version]
        told.stable, told.previous = version, list(dict.fromkeys(line))


def _follow(told: _Retold, document: RoutingDocument) -> None:
    """The document alone says who is live and who was."""
    told.stable, told.previous = document.stable, list(document.previous)
    live = [version for version, record in told.records.items() if record.state == "live"]
    states = dict.fromkeys((*live, *document.previous), "previous")
    if document.unfit is not None:
        told.unfit, states = document.unfit, {**states, document.unfit: "unfit"}
    states.update({version: "canary" for version in (document.candidate,) if version is not None})
    states.update({version: "live" for version in (document.stable,) if version is not None})
    for version, state in states.items():
        told.records[version] = told.records.get(version, VersionRecord()).model_copy(update={"state": state})


def _moved(record: VersionRecord, event: str, why: str, by: str, at: float) -> VersionRecord:
    entry = {"at": at, "event": event, "state": advance(record.state, event), "why": why}
    history = (*record.history, entry)[-HISTORY:]
    return record.model_copy(
        update={"state": entry["state"], "decided_by": by or record.decided_by, "history": history}
    )
