"""Gathers `Figures` from the traffic file, the routing document, the rounds and Redis; any may be away."""

from __future__ import annotations

import contextlib
import sys
import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

import httpx
import redis

from ab.summary import Stat
from deploy.life.config import GateConfig
from deploy.life.evaluation import Slice
from deploy.life.kept.store import RolloutFiles
from deploy.life.slices import SliceChange, slice_changes
from deploy.life.state import ControlState
from deploy.life.telling import gate_said, gate_short, rollback_cost, rollback_cost_short
from deploy.life.unfit.way import Missing, WayStep, missing, way
from deploy.registry.store import notes_of
from deploy.rounds.outlook import LATEST, seconds_left
from deploy.rounds.store import FileRounds
from deploy.routing.document import EXTERNAL, SLOTS, GatewayBeat, Heartbeat, RoutingDocument, SlotView
from deploy.routing.stores import open_routing
from feedback.kpis.store import KpiStore
from feedback.pool.store import Pool
from feedback.shadow.stats import Stats
from serving.control.printing import about
from serving.control.rounds import evaluation_of
from serving.up.show.changes import changes
from serving.up.show.figures import Figures, Slot, Stage
from serving.up.show.gateway_counts import GatewayTail
from serving.up.show.told import differences, drawn, drawn_short
from serving.up.show.traffic import TrafficTail
from serving.up.supervise.restarts import Life
from understudy.clock import wall
from understudy.errors import UnderstudyError
from understudy.state import StateDir

RECENT_VERDICTS = 80
TIMEOUT = 0.5
FOLLOW_SECONDS = 2.0
"""A gateway that still reports a former epoch so long after the newest document does not follow."""


class LiveFigures:
    """Blocking; the caller runs `look` in a thread, one call at a time."""

    def __init__(
        self, state: StateDir, gateway: str, redis_url: str, prefix: str, lives: Callable[[], dict[str, Life]],
        canary_seconds: float | None = None, gate: GateConfig | None = None,
    ) -> None:  # fmt: skip
        """`canary_seconds`: the longest that the steps of a canary take in all; `gate`: what makes a student fit."""
        self._gate = gate or GateConfig()
        self._foreign = GatewayTail(gateway)
        self.traffic = TrafficTail(state.run / "traffic.jsonl")
        self._routing = open_routing(state, redis_url, prefix)
        self._rounds = FileRounds(state)
        client = redis.Redis.from_url(redis_url, socket_timeout=TIMEOUT, socket_connect_timeout=TIMEOUT)
        self._stats, self._pool = Stats(client, prefix), Pool(client, prefix)
        self._kpis, self._rollout = KpiStore(client, prefix), RolloutFiles(state.registry)
        self._lives = lives
        self._canary_seconds = canary_seconds
        self._began = time.monotonic()
        self._events: deque[str] = deque(maxlen=50)
        self._last = Figures()
        self._seen: int | None = None
        self._slices: tuple[int, Mapping[Slice, SliceChange]] = (0, {})
        self._learner: tuple[object, ...] = ("",)
        self._state = state
        self._noted: tuple[tuple[str | None, ...], Mapping[str, str]] = ((), {})

    def look(self) -> Figures:
        """The picture now; what cannot be had stays as it was."""
        now = replace(
            self._last,
            seconds=time.monotonic() - self._began,
            down=tuple(n for n, life in self._lives().items() if life.state not in ("running", "stopped")),
        )
        now = self._with_traffic(now)
        document = self._routing.documents.read()
        if document is not None:
            now = with_document(now, document, self._routing.beats.slots(), self._routing.beats.gateways())
            now = replace(now, notes=self._notes((document.teacher, document.stable or document.unfit)))
        with contextlib.suppress(OSError, ValueError, LookupError, UnderstudyError):
            now = self._with_fitness(self._with_round(replace(now, stage=self._stage())))
        with contextlib.suppress(UnderstudyError, ValueError):
            now = replace(
                now, pool=self._pool.size(), hard=dict(self._pool.counts_by_kind()), similarity=self._similarity()
            )
        with contextlib.suppress(UnderstudyError, ValueError):
            state = self._rollout.load()
            now = replace(now, caveats=caveats(state))
            now = self._with_rollback(now, state)
        stamp = time.strftime("%H:%M:%S")
        self._events.extend(f"{stamp} {what}" for what in changes(self._last, now))
        self._last = replace(now, events=tuple(self._events))
        return self._last

    def document(self) -> RoutingDocument | None:
        """The routing document as it is now."""
        return self._routing.documents.read()

    def _notes(self, versions: tuple[str | None, ...]) -> Mapping[str, str]:
        """What stands beside figures of these; read anew when they are others, since no version changes."""
        if self._noted[0] != versions:
            self._noted = versions, notes_of(self._state, versions)
        return self._noted[1]

    def _with_traffic(self, now: Figures) -> Figures:
        seen = self.traffic
        seen.read()
        if not seen.sent:
            return self._with_foreign(now)
        total = sum(seen.arms.values()) or 1
        right = {family: seen.right(family) for family in seen.families}
        return replace(
            now, sent=seen.sent, failed=seen.failed, truncated=seen.truncated, mixed=seen.mixed, rate=seen.rate,
            arms={arm: count / total for arm, count in seen.arms.items()},
            facts={family: share for family, share in right.items() if share is not None},
        )  # fmt: skip

    def _with_foreign(self, now: Figures) -> Figures:
        """Requests that others send, as the gateway counts them."""
        with contextlib.suppress(httpx.HTTPError, ValueError):
            self._foreign.read()
            found = self._foreign.seen
            total = sum(found.arms.values()) or 1
            shares = {arm: count / total for arm, count in found.arms.items()}
            span = max(now.seconds - self._last.seconds, 0.1)
            rate = 0.8 * self._last.rate + 0.2 * max(0.0, (found.sent - self._last.sent) / span)
            return replace(now, sent=found.sent, failed=found.failed, rate=rate, arms=shares)
        return now

    def _stage(self) -> Stage | None:
        current = self._rounds.current()
        if current is None:
            return None
        told = self._rounds.read_progress(current.id) or {}
        left = seconds_left(current, told, self._rounds.before(current.id, LATEST), wall(), self._canary_seconds)
        if told.get("stage") != current.state:
            return Stage(current.id, current.state, left=left)
        done, total, note = float(told["done"]), float(told["total"]), str(told.get("note", ""))
        return Stage(current.id, current.state, done, total, note, left)

    def _with_round(self, now: Figures) -> Figures:
        """`now` with what the round under way, or the last one seen under way, drew, judged and heard from its gate."""
        self._seen = self._seen if now.stage is None else now.stage.round
        if self._seen is None:
            return now
        stages = {name: record.summary for name, record in self._rounds.get(self._seen).stages.items()}
        chosen, gate = stages.get("select", {}), stages.get("gate")
        slices = self._judged(self._seen) if "evaluate" in stages else {}
        return replace(
            now, drawn=drawn(chosen), drawn_short=drawn_short(chosen), slices=slices,
            gate="" if gate is None else gate_said(gate) + differences(slices, self._seen),
            gate_short="" if gate is None else gate_short(gate),
            few="" if gate is None else str(gate.get("few") or ""),
        )  # fmt: skip

    def _judged(self, number: int) -> Mapping[Slice, SliceChange]:
        """What a round judged; read once, since it does not change."""
        if self._slices[0] != number:
            self._slices = number, slice_changes(evaluation_of(self._rounds, number))
        return self._slices[1]

    def _with_fitness(self, now: Figures) -> Figures:
        """`now` with how far an unfit student is; its rounds are read anew when another one learns or one moves on."""
        learner = now.unfit, *((one.id, one.state) for one in self._rounds.before(sys.maxsize, 1))
        if learner == self._learner:
            return now
        every = way(now.unfit, self._rounds.all()) if now.unfit else ()
        steps = [step for step in every if step.better]
        self._learner = learner
        lacks = missing(every, self._gate)
        return replace(
            now, fitness=come(steps[-1]) if steps else "",
            way=tuple(step.agreement for step in steps), wanted=self._gate.fit_agreement,
            missing=lacks.said if steps else "", least=least(lacks) if steps else "",
        )  # fmt: skip

    def _with_rollback(self, now: Figures, state: ControlState | None) -> Figures:
        """`now` with what the last rollback cost; the operator who asked for it looks here."""
        if state is None or state.outcome is None or state.outcome.kind != "rollback":
            return replace(now, fell="", fell_short="")
        rows = self._kpis.by("version", timed=False)
        kpis = {v: {kpi: Stat.read(found) for kpi, found in of.items()} for v, of in rows.items()}
        return replace(now, fell=rollback_cost(state, kpis), fell_short=rollback_cost_short(state, kpis))

    def _similarity(self) -> dict[str, float]:
        """Mean similarity of the latest shadow pairs by the kind of question of their session."""
        seen: dict[str, list[float]] = defaultdict(list)
        for verdict in self._stats.recent_verdicts(RECENT_VERDICTS):
            family = self.traffic.family(verdict.session)
            if family is not None:
                seen[family].append(verdict.similarity)
        return {kind: sum(values) / len(values) for kind, values in seen.items()}


def come(step: WayStep) -> str:
    """How far an unfit student is, by its last round that made it better."""
    facts = "" if step.facts is None else f", {step.facts:.0%} facts"
    return f"{step.agreement:.0%} of tokens{facts}, round {step.round}"


def least(lacks: Missing) -> str:
    """What an unfit student has before it at least; empty where nothing says."""
    if lacks.rounds is None or lacks.seconds is None:
        return ""
    return f"{lacks.rounds}+ rounds, {about(lacks.seconds)}"


def caveats(state: ControlState | None) -> tuple[str, ...]:
    """What is to be said of the live student, the latest first."""
    return () if state is None else state.record(state.stable or "").caveats[::-1]


def with_document(
    now: Figures, document: RoutingDocument, beats: Mapping[str, Heartbeat], gateways: Iterable[GatewayBeat]
) -> Figures:
    """`now` with what the routing document and the beats of slots and gateways say."""
    behind = {
        beat.id: beat.epoch
        for beat in gateways
        if beat.epoch < document.epoch and beat.at > document.created + FOLLOW_SECONDS
    }
    return replace(
        now, epoch=document.epoch, stable=document.stable or "-", unfit=document.unfit or "",
        candidate=document.candidate or "", share=document.candidate_share, previous=document.previous,
        frozen=document.frozen, behind=behind,
        slots=tuple(slot(name, document.slots.get(name, SlotView()), beats.get(name)) for name in SLOTS),
    )  # fmt: skip


def slot(name: str, view: SlotView, beat: Heartbeat | None) -> Slot:
    """A slot to be shown: what is wanted by the document, all else by its beat; without one its agent is away."""
    wanted = view.desired or ""
    if wanted == EXTERNAL:
        return Slot(name, EXTERNAL, "run by others", view.ready, wanted=wanted)
    if beat is None:
        return Slot(name, wanted=wanted)
    return Slot(
        name, beat.version or "-", beat.state, beat.ready, beat.in_flight, wanted, beat.bad.get(wanted, "")
    )  # fmt: skip
