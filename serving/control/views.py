"""The control plane's pages, from the conductor and the sources."""

from __future__ import annotations

import contextlib
from typing import Literal

from deploy.control.conductor import Conductor
from deploy.engines.findings import read_findings
from deploy.engines.knowledge import read_knowledge
from deploy.life.document import as_run
from deploy.life.harm import exposures, findings, told
from deploy.life.state import CanaryState, ControlState
from deploy.life.telling import rollback_cost, why_no_learning
from deploy.life.unfit.way import missing, way
from deploy.registry.store import notes_of
from deploy.rounds.record import Round
from deploy.routing.document import EXTERNAL
from serving.control.replies.breaker import breaker_status
from serving.control.replies.counts import KpisReply, PoolReply
from serving.control.replies.rounds import RoundReport, RoundsReply
from serving.control.replies.status import (
    BusStatus,
    LearningStatus,
    LiveVersions,
    RolloutStatus,
    RoundProgress,
    RoundStatus,
    SlotStatus,
    SpendingStatus,
    StatusReply,
    TeacherChangeRow,
    TeacherStatus,
    UnfitStatus,
)
from serving.control.replies.versions import RolloutRow, VersionRow
from serving.control.rounds import ends_in, round_report, round_row
from serving.control.sources import Sources
from understudy.errors import IntegrityError, NotFound, Unavailable


class Views:
    """Reads only."""

    def __init__(self, conductor: Conductor, sources: Sources) -> None:
        self._conductor = conductor
        self._sources = sources

    def status(self) -> StatusReply:
        """One page: what is live, ready and under way."""
        deployment, document = self._conductor.deployment, self._conductor.document
        state = as_run(deployment.state, deployment.settings)
        gateways = self._conductor.routing.beats.gateways()
        return StatusReply(
            epoch=None if document is None else document.epoch,
            live=LiveVersions(
                teacher=state.teacher,
                student=state.stable,
                caveats=self._caveats(state),
                notes=notes_of(deployment.folder, (state.teacher, state.stable)),
            ),
            unfit=self._unfit(state),
            previous=list(state.previous),
            slots=self._slots(),
            gateways=gateways,
            breaker=breaker_status(gateways),
            pool=self._pool(),
            spending=self._spending(),
            teacher=self._teacher(),
            learning=self._learning(),
            round=self._stage(self._conductor.deployment.rounds.current()),
            rollout=self._rollout(state.canary),
            operation=state.operation,
            frozen=list(state.frozen),
            bad=state.bad,
            bus=self._bus(),
        )

    def versions(self) -> list[VersionRow]:
        """Versions, newest first."""
        state = self._conductor.deployment.state
        rows = []
        for manifest in self._conductor.deployment.registry.versions():
            record = state.record(manifest.version)
            teacher = "live" if manifest.version == state.teacher else "registered"
            rows.append(
                VersionRow(
                    version=manifest.version,
                    state=record.state if manifest.kind == "student" else teacher,
                    kind=manifest.kind,
                    created=manifest.created,
                    parent=manifest.parent,
                    teacher=manifest.teacher,
                    round=manifest.round,
                    decided_by=record.decided_by,
                    bad=state.bad.get(manifest.version),
                    caveats=[*([manifest.note] if manifest.note else []), *record.caveats],
                    gate=record.gate,
                    bytes=sum(entry.size for entry in manifest.files.values()),
                    metrics=manifest.metrics,
                )
            )
        return rows

    def rollouts(self) -> list[RolloutRow]:
        """Each version's life so far, the one under way first."""
        rows = [
            RolloutRow(
                version=version, state=record.state, decided_by=record.decided_by,
                steps=list(record.steps), history=list(record.history),
            )
            for version, record in self._conductor.deployment.state.versions.items()
        ]  # fmt: skip
        return sorted(rows, key=lambda row: row.history[-1]["at"] if row.history else 0.0, reverse=True)

    def kpis(self, by: Literal["arm", "version"]) -> KpisReply:
        """KPIs by arm or version, with what stands beside a version's figures.

        Raises:
            Unavailable: they cannot be read.
        """
        found = self._sources.kpis(by)
        groups = {*found["kpis"], *found["figures"], *found["quantiles"]} if by == "version" else ()
        return KpisReply.model_validate({**found, "notes": notes_of(self._conductor.deployment.folder, groups)})

    def rounds(self) -> RoundsReply:
        """Rounds with their stages, newest first."""
        deployment = self._conductor.deployment
        found = deployment.rounds.all()
        named = {version for one in found for version in (one.teacher, one.parent, one.candidate)}
        return RoundsReply(rounds=[round_row(one) for one in found], notes=notes_of(deployment.folder, named))

    def round(self, number: int) -> RoundReport:
        """One round with all that is known of it.

        Raises:
            NotFound: there is none of that number.
        """
        return round_report(self._conductor.deployment, number)

    def next_round_waits(self) -> str | None:
        """Why a round that is asked for does not begin at once; None: nothing is in its way."""
        deployment = self._conductor.deployment
        if why := why_no_learning(deployment.settings, deployment.state):
            return why
        current = deployment.rounds.current()
        return None if current is None else f"round {current.id} is at {current.state}, this one follows"

    def _rollout(self, canary: CanaryState | None) -> RolloutStatus | None:
        """The candidate on its way, with what its guardrails say now."""
        if canary is None:
            return None
        deployment = self._conductor.deployment
        phases = deployment.evidence.trial(canary.version) or {}
        found = told(findings(phases, deployment.settings.rollout, deployment.settings.kpis)) if phases else {}
        more = {"exposures": exposures(phases, canary.step), "guardrails": found}
        return RolloutStatus.model_validate({**canary.model_dump(mode="json"), **more})

    def _caveats(self, state: ControlState) -> list[str]:
        """What is to be said of the live student, and of the rollback that led to it."""
        cost = rollback_cost(state, self._conductor.deployment.kpis() or {})
        return [*state.record(state.stable or "").caveats, *([cost] if cost else [])]

    def _unfit(self, state: ControlState) -> UnfitStatus | None:
        version, deployment = state.learner, self._conductor.deployment
        if version is None:
            return None
        steps = way(version, deployment.rounds.all())
        lacks = missing(steps, self._conductor.gate)
        note = state.record(version).line or version
        with contextlib.suppress(NotFound, IntegrityError):
            note = deployment.registry.manifest(note).note
        return UnfitStatus(
            version=version, note=note, way=list(steps),
            wanted=lacks.wanted, rows=lacks.rows, rounds=lacks.rounds, seconds=lacks.seconds, missing=lacks.said,
        )  # fmt: skip

    def _spending(self) -> SpendingStatus | None:
        if self._conductor.deployment.settings.teacher is None:
            return None
        try:
            return SpendingStatus.model_validate(self._sources.spent())
        except Unavailable:
            return None

    def _learning(self) -> LearningStatus:
        deployment = self._conductor.deployment
        why = why_no_learning(deployment.settings, deployment.state)
        spent = self._spending()
        if not why and spent is not None and spent.reached:
            why = f"the {spent.cap} tokens of today (UTC) of `engines.teacher.daily_tokens` are spent; serving goes on"
        told = read_knowledge(deployment.folder)
        if told is None or told.teacher != as_run(deployment.state, deployment.settings).teacher:
            return LearningStatus(possible=not why, why=why)
        return LearningStatus(possible=not why, why=why, by=told.level, not_more=told.why)

    def _teacher(self) -> TeacherStatus | None:
        deployment = self._conductor.deployment
        slot, found = deployment.settings.teacher, read_findings(deployment.folder)
        if slot is None:
            return None
        if found is None or not found.is_of(slot.url, slot.model):
            return TeacherStatus(gives=None, asked=None, served="", fingerprint="", error="", changes=[])
        return TeacherStatus(
            gives=found.gives if found.asked else None, asked=found.asked or None, served=found.served,
            fingerprint=found.fingerprint, error=found.error,
            changes=[TeacherChangeRow.model_validate(one.model_dump()) for one in found.recent(deployment.clock())],
        )  # fmt: skip

    def _slots(self) -> dict[str, SlotStatus]:
        document, beats = self._conductor.document, self._conductor.deployment.beats
        rows = {}
        for name, view in (document.slots if document is not None else {}).items():
            beat = beats.get(name)
            silent = {"state": "external"} if view.version == EXTERNAL else {}
            told = silent if beat is None else beat.model_dump(mode="json", exclude={"schema_version", "slot"})
            wanted = view.model_dump(mode="json")
            rows[name] = SlotStatus.model_validate({**told, **wanted, "reports": beat is not None})
        return rows

    def _stage(self, current: Round | None) -> RoundStatus:
        if current is None:
            return RoundStatus(id=None, stage=None)
        told = self._conductor.deployment.rounds.read_progress(current.id) or {}
        progress = RoundProgress.model_validate(told) if told.get("stage") == current.state else None
        return RoundStatus(
            id=current.id, stage=current.state, candidate=current.candidate, progress=progress,
            waits=waits(current, self._conductor.deployment.state),
            ends_in=ends_in(self._conductor.deployment, current),
        )  # fmt: skip

    def _pool(self) -> PoolReply:
        try:
            return PoolReply.model_validate(self._sources.pool())
        except Unavailable as error:
            return PoolReply(size=None, why=error.message)

    def _bus(self) -> BusStatus:
        try:
            meters = self._sources.meters()
            return BusStatus(
                lag=self._sources.lag(), lost=self._sources.bus_lost(),
                oldest_seconds=meters["oldest_seconds"], per_second=meters["per_second"],
            )  # fmt: skip
        except Unavailable as error:
            return BusStatus(lag=None, why=error.message)


def waits(current: Round, state: ControlState) -> str | None:
    """What a round in its canary waits for, with the command that helps; None: it does not wait for anybody."""
    if current.state != "canary":
        return None
    if "promotion" in state.frozen:
        return "promotion is frozen; `understudy resume promotion`"
    if state.operation is not None:
        return f"the {state.operation.kind} to {state.operation.target} is under way"
    if state.canary is None and state.pinned is not None:
        pin = state.pinned
        return (
            f"the second student slot holds {pin.version} for the experiment {pin.experiment}; "
            f"`understudy experiment stop {pin.experiment}`"
        )
    if state.canary is None or state.canary.note != "hold":
        return None
    return f"too few exposures in its time; traffic, or `understudy promote {state.canary.version}`"
