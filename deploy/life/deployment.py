"""What the controller holds: its durable state, what the slots said last, and the files that decisions end up in.

`Canary`, `Operations` and `Conductor` decide on it; it alone writes `rollout.json`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, cast

from ab.summary import Stat
from deploy.audit.chain import Deed
from deploy.audit.heads import AuditHead, signed_head
from deploy.audit.log import AuditLog
from deploy.audit.log_file import FileAuditLog
from deploy.engines.fingerprint import FINGERPRINT_FILE
from deploy.life.document import Settings
from deploy.life.harm import Evidence, NoEvidence
from deploy.life.kept.elapsed import Elapsed
from deploy.life.kept.rebuild import rebuild
from deploy.life.kept.store import RolloutFiles
from deploy.life.rollout import advance, allows
from deploy.life.state import HISTORY, ControlState, PendingEntry, VersionRecord
from deploy.registry.manifest import Manifest
from deploy.registry.store import Registry
from deploy.rounds.store import FileRounds, RoundStore
from deploy.routing.document import STUDENT_SLOTS, Heartbeat
from deploy.routing.documents_file import FileDocuments
from deploy.routing.slots import arrange
from understudy.clock import Clock, wall
from understudy.errors import IntegrityError, NotFound, Unavailable
from understudy.ids import random_id
from understudy.reserve import DiskReserve
from understudy.state import StateDir

log = logging.getLogger("understudy.controller")
Kpis = Callable[[], Mapping[str, Mapping[str, Stat]] | None]
"""{version: {kpi: summary}}; None when they cannot be had now."""
Move = tuple[str, str, str]
"""(version, event, why)."""
Note = tuple[str, str, Mapping[str, Any]]
"""An entry of the audit log: (action, actor, details)."""
Steps = tuple[dict[str, Any], ...]
NOTHING_TOLD: Mapping[str, Mapping[str, Any]] = MappingProxyType({})
NOTHING_SEEN: Mapping[str, Any] = MappingProxyType({})
MOST_PENDING = 100
"""Entries kept with the state for an audit log that cannot be written; more wait in memory alone."""
LONGEST_WHY = 2000
"""Characters kept of the reason for a move."""
DECISIVE = frozenset({"promoted", "chosen", "restored", "adopted", "breached", "aborted"})
"""Events that carry who decided."""
JUDGED = frozenset({"gate_passed", "gate_failed", "learned", "promoted", "breached"})
"""Events that follow from figures."""


def no_kpis() -> None:
    """For a controller without a place that holds KPIs."""
    return None


class Deployment:
    """Shared by the deciding parts; one thread at a time. `elapsed` is the clock of deadlines, `clock` of records.

    `kpis`: single values by version; `evidence`: what canaries are judged by.
    """

    def __init__(
        self, folder: StateDir, settings: Settings, kpis: Kpis = no_kpis, clock: Clock = wall,
        elapsed: Clock | None = None, evidence: Evidence | None = None,
    ) -> None:  # fmt: skip
        self.folder = folder
        self.settings = settings
        self.kpis = kpis
        self.evidence: Evidence = evidence or NoEvidence()
        self.clock = clock
        self.registry = Registry(folder, clock, settings.registry.trusted_keys)
        self.rounds: RoundStore = FileRounds(folder, clock)
        audit_key, part = self.registry.signer, settings.registry.audit_bytes
        self.audit: AuditLog = FileAuditLog(folder.audit, clock, audit_key, part)
        self.beats: dict[str, Heartbeat] = {}
        self.reserve = DiskReserve(folder.registry / "reserve")
        """Room on a full disk for rollbacks, freezes and taking candidates back."""
        self._files = RolloutFiles(folder.registry)
        self._own_clock = Elapsed(folder.registry / "elapsed.json") if elapsed is None else None
        self.elapsed: Clock = elapsed or cast("Clock", self._own_clock)
        self._rebuilt = False
        self._state = self._begun(self._loaded())

    @property
    def fresh(self) -> bool:
        """Whether no state was ever written."""
        return self._state is None

    @property
    def state(self) -> ControlState:
        return self._state or ControlState()

    def lead(self, fence: int) -> None:
        """Write under the number of this leader from now on, and at once: what former ones still write is void.

        Raises:
            Unavailable: it cannot be written.
        """
        if fence != self._files.fence:
            self._files.fence = fence
            if self._state is not None:
                self._save(self._state)

    def recover(self) -> None:
        """Give the audit log what it may lack of the last change before a crash; what it has is not written twice."""
        if self._rebuilt and self._state is not None:
            self._save(self._state)
            self._rebuilt = False
        for entry in self.state.pending:
            self.audit.keep_again(Deed(entry.at, entry.action, entry.actor, entry.details, entry.id))

    def audit_head(self) -> AuditHead | None:
        """Where the audit log stands, signed; None where there is none, or it cannot be read or signed now."""
        head = self.audit.head()
        try:
            return signed_head(head.entries, head.hash, self.registry.signer) if head.entries else None
        except (IntegrityError, OSError):
            return None

    def tick(self) -> None:
        """Note the time, and write what the audit log could not take before."""
        if self._own_clock is not None:
            self._own_clock.note()
        self.audit.settle()

    def waited(self, began: float | None) -> float:
        """Seconds since `began`, a stamp of `elapsed`."""
        return self.elapsed() - (began or 0.0)

    def change(
        self, *moves: Move, actor: str = "controller", decided_by: str = "", steps: Steps = (),
        told: Mapping[str, Mapping[str, Any]] = NOTHING_TOLD, notes: Sequence[Note] = (),
        seen: Mapping[str, Any] = NOTHING_SEEN, **fields: Any,
    ) -> None:  # fmt: skip
        """Move versions through their lives and replace `fields`, in one durable write, then audit, later if need be.

        A version that was never fit is no former one: it answered by force, and nothing brings it back but that.

        `told`: by version, further fields of its record; caveats come to those that it has. `notes` are entries of the
        audit log beside those of the moves, before them; `seen` are the figures behind a move that was judged. All
        entries are in the same write, so that a controller that is killed before the log has them finds them again.

        Raises:
            IllegalTransition: a move is not in the table; nothing changed.
            Unavailable: the state cannot be written; nothing changed.
        """
        moves = tuple((version, event, why[:LONGEST_WHY]) for version, event, why in moves)
        records = dict(self.state.versions)
        for version, event, why in moves:
            decision = (decided_by, steps) if event in DECISIVE else ("", ())
            records[version] = self._moved(records.get(version, VersionRecord()), event, why, *decision)
        for version, said in told.items():
            record = records.get(version, VersionRecord())
            caveats = tuple(dict.fromkeys((*record.caveats, *said.get("caveats", ()))))
            records[version] = record.model_copy(update={**said, "caveats": caveats})
        wanted = self.state.model_copy(update={**fields, "versions": records})
        fit = tuple(version for version in wanted.previous if not self.never_fit(version))
        wanted = wanted.model_copy(update={"previous": fit})
        if wanted == self._state and not notes:
            return
        made = self._entries(notes, moves, actor, decided_by, seen)
        pending = (*(self.state.pending if self.audit.trouble else ()), *made)
        wanted = wanted.model_copy(update={"slots": self._arranged(wanted), "pending": pending[-MOST_PENDING:]})
        self._save(wanted)
        self._state = wanted
        for entry in made:
            self.audit.keep_again(Deed(entry.at, entry.action, entry.actor, entry.details, entry.id))

    def _entries(
        self, notes: Sequence[Note], moves: Sequence[Move], actor: str, decided_by: str, seen: Mapping[str, Any]
    ) -> list[PendingEntry]:
        """The audit entries of a change."""
        made = [(action, who, dict(details)) for action, who, details in notes]
        for version, event, why in moves:
            by = {"decided_by": decided_by} if decided_by and event in DECISIVE else {}
            figures = seen if event in JUDGED else NOTHING_SEEN
            made.append((f"version.{event}", actor, {"version": version, "why": why, **by, **figures}))
        at, change = round(self.clock(), 3), random_id(f"{self._files.fence}-")
        return [
            PendingEntry(id=f"{change}.{n}", at=at, action=action, actor=who, details=details)
            for n, (action, who, details) in enumerate(made)
        ]

    def _save(self, state: ControlState) -> None:
        try:
            self._files.save(state)
        except OSError as error:
            name = self._files.path.name
            raise Unavailable(f"{name} cannot be written, so nothing changed: {error.strerror}") from error

    def _loaded(self) -> ControlState | None:
        """The state as it was left; made anew where it cannot be read, or is gone and something is known of it."""
        try:
            state, why = self._files.load(), "it is gone"
        except IntegrityError as error:
            state, why = None, error.message
            self._files.set_aside()
        if state is not None:
            return state
        try:
            self.audit.verify()
            entries = list(self.audit.entries())
        except (IntegrityError, OSError):
            entries = []
        rebuilt = rebuild(FileDocuments(self.folder.routing).read(), entries, round(self.clock(), 3))
        if not rebuilt.versions and rebuilt.stable is None:
            return None
        self._rebuilt = True
        log.error("%s: %s; made anew from the audit log and the routing document", self._files.path.name, why)
        return rebuilt

    def _begun(self, state: ControlState | None) -> ControlState | None:
        """Deadlines of what an earlier release wrote, or the clock lost, begin now."""
        if state is None:
            return None
        canary, operation = state.canary, state.operation
        stamps = [one.began for one in (canary, operation) if one is not None and one.began is not None]
        if self._own_clock is not None and stamps:
            self._own_clock.at_least(max(stamps))
        if canary is not None and canary.began is None:
            canary = canary.model_copy(update={"began": self.elapsed()})
        if operation is not None and operation.began is None:
            operation = operation.model_copy(update={"began": self.elapsed()})
        return state.model_copy(update={"canary": canary, "operation": operation})

    def settle(self) -> None:
        """Write down which slot holds what, when reports changed it."""
        slots = self._arranged(self.state)
        if slots != {slot: self.state.slots.get(slot) for slot in STUDENT_SLOTS}:
            self.change(slots=slots)

    def ready(self, version: str) -> bool:
        """Whether a slot that should hold `version` reports it loaded and verified."""
        return any(
            beat.ready and beat.version == version and self.state.slots.get(slot) == version
            for slot, beat in self.beats.items()
            if slot in STUDENT_SLOTS
        )

    def students(self) -> list[str]:
        """Registered student versions that are not marked bad, newest first."""
        return [m.version for m in self.student_manifests()]

    def student_manifests(self) -> list[Manifest]:
        """Theirs."""
        bad = self.state.bad
        return [m for m in self.registry.versions() if m.kind == "student" and m.version not in bad]

    def never_fit(self, version: str) -> bool:
        """Whether nothing says that it may answer: a cut, or a child of such a one that was not found fit."""
        gate = self.state.record(version).gate
        if gate is not None:
            return gate.absolute and not gate.passed
        try:
            made = self.registry.manifest(version)
        except (NotFound, IntegrityError):
            return False
        unjudged = made.round is not None and made.parent is not None
        return made.unfit or (unjudged and self.never_fit(str(made.parent)))

    def barred(self, version: str) -> bool:
        """Whether no request may go to a version, whoever names it: it was never fit, and is not live by force."""
        return version != self.state.stable and self.never_fit(version)

    def has_fingerprint(self, version: str) -> bool:
        """Whether the version brings the probes by which a slot verifies it."""
        try:
            return FINGERPRINT_FILE in self.registry.manifest(version).files
        except NotFound:
            return False

    def _moved(self, record: VersionRecord, event: str, why: str, decided_by: str, steps: Steps) -> VersionRecord:
        state = advance(record.state, event)
        entry = {"at": round(self.clock(), 3), "event": event, "state": state, "why": why}
        return record.model_copy(
            update={
                "state": state,
                "decided_by": decided_by or record.decided_by,
                "steps": steps or record.steps,
                "history": (*record.history, entry)[-HISTORY:],
            }
        )

    def _arranged(self, state: ControlState) -> dict[str, str | None]:
        incoming = None if state.pinned is None else state.pinned.version
        if state.canary is not None:
            incoming = state.canary.version
        if state.operation is not None:
            incoming = state.operation.target
        loaded = {slot: beat.version for slot, beat in self.beats.items()}
        return arrange(state.stable or state.unfit, incoming, state.previous, state.slots, loaded, state.bad)


def outdone(state: ControlState, by: str) -> list[Move]:
    """The move of the unfit student that `by` takes the place of; none where there is none."""
    if state.unfit is None or state.unfit == by or not allows(state.record(state.unfit).state, "outdone"):
        return []
    return [(state.unfit, "outdone", f"by {by}")]
