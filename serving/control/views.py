"""The control plane's answers as plain JSON values, from the conductor and the sources."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from deploy.control.conductor import Conductor
from deploy.life.state import ControlState
from deploy.rounds.store import Round
from serving.control.sources import Sources
from understudy.errors import Unavailable


class Views:
    """Reads only."""

    def __init__(self, conductor: Conductor, sources: Sources) -> None:
        self._conductor = conductor
        self._sources = sources

    def status(self) -> dict[str, Any]:
        """One page: what is live, ready and under way."""
        state, document = self._conductor.deployment.state, self._conductor.document
        current = self._conductor.deployment.rounds.current()
        return {
            "epoch": document.epoch if document is not None else None,
            "live": {"teacher": state.teacher, "student": state.stable},
            "previous": list(state.previous),
            "slots": self._slots(),
            "gateways": self._gateways(),
            "breaker": {},
            "pool": self._or_why(self._sources.pool, {"size": None}),
            "round": {"id": None, "stage": None} if current is None else self._stage(current),
            "rollout": None if state.canary is None else state.canary.model_dump(mode="json", exclude={"before"}),
            "operation": None if state.operation is None else state.operation.model_dump(mode="json"),
            "frozen": list(state.frozen),
            "bad": state.bad,
            "bus": self._or_why(lambda: {"lag": self._sources.lag()}, {"lag": None}),
        }

    def versions(self) -> list[dict[str, Any]]:
        """Versions, newest first."""
        state = self._conductor.deployment.state
        rows = []
        for manifest in self._conductor.deployment.registry.versions():
            record = state.record(manifest.version)
            teacher = "live" if manifest.version == state.teacher else "registered"
            rows.append({
                "version": manifest.version,
                "state": record.state if manifest.kind == "student" else teacher,
                "kind": manifest.kind,
                "created": manifest.created,
                "parent": manifest.parent,
                "teacher": manifest.teacher,
                "round": manifest.round,
                "decided_by": record.decided_by,
                "bad": state.bad.get(manifest.version),
                "bytes": sum(entry.size for entry in manifest.files.values()),
                "metrics": manifest.metrics,
            })  # fmt: skip
        return rows

    def rollouts(self) -> list[dict[str, Any]]:
        """Each version's life so far, the one under way first."""
        state = self._conductor.deployment.state
        rows = [
            {
                "version": version, "state": record.state, "decided_by": record.decided_by,
                "steps": list(record.steps), "history": list(record.history),
            }
            for version, record in state.versions.items()
        ]  # fmt: skip
        return sorted(rows, key=lambda row: row["history"][-1]["at"] if row["history"] else 0.0, reverse=True)

    def rounds(self) -> list[dict[str, Any]]:
        """Rounds with their stages, newest first."""
        return [self._round(one) for one in self._conductor.deployment.rounds.all()]

    def next_round_waits(self) -> str | None:
        """Why a round that is asked for does not begin at once; None: nothing is in its way."""
        if "learning" in self._conductor.deployment.state.frozen:
            return "learning is frozen; `understudy resume learning`"
        current = self._conductor.deployment.rounds.current()
        return None if current is None else f"round {current.id} is at {current.state}, this one follows"

    def _slots(self) -> dict[str, Any]:
        document, beats = self._conductor.document, self._conductor.deployment.beats
        rows: dict[str, Any] = {}
        for name, view in (document.slots if document is not None else {}).items():
            beat = beats.get(name)
            told = {} if beat is None else beat.model_dump(mode="json", exclude={"schema_version", "slot"})
            rows[name] = {**told, **view.model_dump(mode="json"), "reports": beat is not None}
        return rows

    def _gateways(self) -> list[dict[str, Any]]:
        return self._conductor.store.gateways()

    def _stage(self, current: Round) -> dict[str, Any]:
        told = self._conductor.deployment.rounds.read_progress(current.id) or {}
        progress = told if told.get("stage") == current.state else None
        stage = {"id": current.id, "stage": current.state, "candidate": current.candidate, "progress": progress}
        return {**stage, "waits": waits(current, self._conductor.deployment.state)}

    def _round(self, one: Round) -> dict[str, Any]:
        stages = {
            name: {"started": s.started, "seconds": round(s.seconds, 3), "event": s.event, "summary": s.summary}
            for name, s in one.stages.items()
        }
        return {
            "id": one.id, "state": one.state, "parent": one.parent, "teacher": one.teacher,
            "candidate": one.candidate, "why": one.why, "started": one.started, "ended": ended(one), "stages": stages,
        }  # fmt: skip

    @staticmethod
    def _or_why(read: Callable[[], dict[str, Any]], missing: dict[str, Any]) -> dict[str, Any]:
        try:
            return read()
        except Unavailable as error:
            return {**missing, "why": error.message}


def waits(current: Round, state: ControlState) -> str | None:
    """What a round in its canary waits for, with the command that helps; None: it does not wait for anybody."""
    if current.state != "canary":
        return None
    if "promotion" in state.frozen:
        return "promotion is frozen; `understudy resume promotion`"
    if state.operation is not None:
        return f"the {state.operation.kind} to {state.operation.target} is under way"
    if state.canary is None or state.canary.note != "hold":
        return None
    return f"too few exposures in its time; traffic, or `understudy promote {state.canary.version}`"


def ended(one: Round) -> str | None:
    """Why a round ended otherwise than live, None while it goes on or when it went live."""
    if not one.finished or one.state == "done":
        return None
    summary = one.stages[next(reversed(one.stages))].summary
    return str(summary.get("error") or summary.get("why") or "; ".join(summary.get("reasons", ())) or "no reason given")
