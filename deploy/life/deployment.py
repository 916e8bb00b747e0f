"""What the controller holds: its durable state, what the slots said last, and the files that decisions end up in.

`Canary`, `Operations` and `Conductor` decide on it; it alone writes `rollout.json`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from ab.summary import Stat
from deploy.audit.log import AuditLog
from deploy.audit.log_file import FileAuditLog
from deploy.engines.fingerprint import FINGERPRINT_FILE
from deploy.life import state as control_state
from deploy.life.document import Settings
from deploy.life.rollout import advance
from deploy.life.state import HISTORY, ControlState, VersionRecord
from deploy.registry.store import Registry
from deploy.rounds.store import FileRounds, RoundStore
from deploy.routing.document import STUDENT_SLOTS, Heartbeat
from deploy.routing.slots import arrange
from understudy.clock import Clock, wall
from understudy.errors import NotFound, Unavailable
from understudy.state import StateDir

Kpis = Callable[[], Mapping[str, Mapping[str, Stat]] | None]
"""{version: {kpi: summary}}; None when they cannot be had now."""
Move = tuple[str, str, str]
"""(version, event, why)."""
Steps = tuple[dict[str, Any], ...]
NOTHING_TOLD: Mapping[str, Mapping[str, Any]] = MappingProxyType({})
LONGEST_WHY = 2000
"""Characters kept of the reason for a move."""
DECISIVE = frozenset({"promoted", "chosen", "restored", "adopted", "breached", "aborted"})
"""Events that carry who decided."""


def no_kpis() -> None:
    """For a controller without a place that holds KPIs."""
    return None


class Deployment:
    """Shared by the deciding parts; one thread at a time."""

    def __init__(self, folder: StateDir, settings: Settings, kpis: Kpis = no_kpis, clock: Clock = wall) -> None:
        self.folder = folder
        self.settings = settings
        self.kpis = kpis
        self.clock = clock
        self.registry = Registry(folder, clock, settings.registry.trusted_keys)
        self.rounds: RoundStore = FileRounds(folder, clock)
        self.audit: AuditLog = FileAuditLog(folder.audit, clock)
        self.beats: dict[str, Heartbeat] = {}
        self._path = folder.registry / "rollout.json"
        self._state = control_state.load(self._path)

    @property
    def fresh(self) -> bool:
        """Whether no state was ever written."""
        return self._state is None

    @property
    def state(self) -> ControlState:
        return self._state or ControlState()

    def change(
        self, *moves: Move, actor: str = "controller", decided_by: str = "", steps: Steps = (),
        told: Mapping[str, Mapping[str, Any]] = NOTHING_TOLD, **fields: Any,
    ) -> None:  # fmt: skip
        """Move versions through their lives and replace `fields`, in one durable write, then audit, later if need be.

        `told`: by version, further fields of its record; caveats come to those that it has.

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
        if wanted == self._state:
            return
        wanted = wanted.model_copy(update={"slots": self._arranged(wanted)})
        try:
            control_state.save(self._path, wanted)
        except OSError as error:
            raise Unavailable(f"{self._path.name} cannot be written, so nothing changed: {error.strerror}") from error
        self._state = wanted
        for version, event, why in moves:
            by = {"decided_by": decided_by} if decided_by and event in DECISIVE else {}
            self.audit.keep(f"version.{event}", actor, version=version, why=why, **by)

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
        bad = self.state.bad
        return [m.version for m in self.registry.versions() if m.kind == "student" and m.version not in bad]

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
        incoming = state.canary.version if state.canary is not None else None
        if state.operation is not None:
            incoming = state.operation.target
        loaded = {slot: beat.version for slot, beat in self.beats.items()}
        return arrange(state.stable, incoming, state.previous, state.slots, loaded, state.bad)
