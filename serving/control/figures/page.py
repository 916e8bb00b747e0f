"""Reads the metrics of the control plane from what `status` and the rounds tell."""

from __future__ import annotations

import math
import shutil
from collections import Counter
from collections.abc import Iterator
from typing import Any

from deploy.control.conductor import Conductor
from deploy.life.telling import fall
from deploy.rounds.record import Round
from deploy.rounds.table import FINAL, STAGES
from serving.control.figures import metrics as named
from serving.control.replies.status import StatusReply
from serving.control.views import Views
from understudy.errors import Unavailable
from understudy.telemetry.metrics import MetricsPage

FREEZES = ("promotion", "learning", "student")
CHANGES = ("admitted", "duplicate", "replaced", "evicted", "purged")


class ControlFigures:
    """The page; everything on it is read anew when somebody asks."""

    def __init__(self, conductor: Conductor, views: Views) -> None:
        self._conductor = conductor
        self._views = views
        self._status: StatusReply | None = None
        self._rounds: list[Round] = []
        self.page = page = MetricsPage("controller")
        page.before(self._look)
        page.add(named.LIVE, self._live)
        page.value(named.SHARE, self._share)
        page.add(named.SLOT_READY, lambda: [(n, self._serves(n)) for n in self._told.slots])
        page.value(named.GATEWAYS, lambda: len(self._told.gateways))
        page.add(named.FROZEN, lambda: [(what, float(what in self._told.frozen)) for what in FREEZES])
        page.add(named.POOL, self._pool)
        page.add(named.POOL_KINDS, lambda: self._told.pool.by_kind.items())
        page.add(named.POOL_CHANGES, lambda: [(name, getattr(self._told.pool, name)) for name in CHANGES])
        page.add(named.ROUNDS, self._ended)
        page.add(named.STAGE, lambda: [(stage, float(stage == self._told.round.stage)) for stage in STAGES])
        page.value(named.PROGRESS, self._progress)
        page.add(named.STAGE_SECONDS, self._stage_seconds)
        page.add(named.GATE_EXACT, lambda: self._gate("exact"))
        page.add(named.GATE_FACTS, lambda: self._gate("facts"))
        page.add(named.GATE, lambda: self._gate("agreement"))
        page.add(named.COMPLIED, self._complied)
        page.value(named.FALL, self._fall)
        page.add(named.LAG, lambda: (self._told.bus.lag or {}).items())
        page.add(named.WAITED, lambda: (self._told.bus.oldest_seconds or {}).items())
        page.value(named.GONE, self._lost)
        page.value(named.ROOM, lambda: shutil.disk_usage(conductor.deployment.folder.root).free)
        page.value(named.VOLUME, lambda: shutil.disk_usage(conductor.deployment.folder.root).total)
        page.add(named.SPENT, self._spent)

    @property
    def _told(self) -> StatusReply:
        if self._status is None:
            raise Unavailable("the status could not be read")
        return self._status

    def _look(self) -> None:
        self._status = None
        self._rounds = self._conductor.deployment.rounds.all()
        self._status = self._views.status()

    def _live(self) -> Iterator[tuple[tuple[str, str], float]]:
        live, rollout = self._told.live, self._told.rollout
        yield ("teacher", live.teacher), 1.0
        if live.student:
            yield ("student", live.student), 1.0
        if rollout is not None:
            yield ("candidate", rollout.version), 1.0

    def _share(self) -> float:
        document = self._conductor.document
        return 0.0 if document is None or document.candidate is None else document.candidate_share

    def _serves(self, name: str) -> float:
        slot = self._told.slots[name]
        return float(slot.ready and slot.version is not None and slot.version == slot.desired)

    def _pool(self) -> list[tuple[str, float]]:
        pool = self._told.pool
        if pool.size is None:
            raise Unavailable(pool.why)
        return [("hard", pool.size), ("anchors", pool.anchors)]

    def _ended(self) -> list[tuple[str, float]]:
        ended = Counter(one.state for one in self._rounds if one.finished)
        return [(outcome, ended[outcome]) for outcome in sorted(FINAL)]

    def _progress(self) -> float:
        progress = self._told.round.progress
        return progress.done / progress.total if progress is not None and progress.total > 0 else 0.0

    def _stage_seconds(self) -> list[tuple[str, float]]:
        return [(stage, record.seconds) for one in self._rounds[:1] for stage, record in one.stages.items()]

    def _judged(self) -> dict[str, Any]:
        """What the gate said of the newest round that it judged."""
        return next((one.stages["gate"].summary for one in self._rounds if "gate" in one.stages), {})

    def _complied(self) -> list[tuple[str, float]]:
        found = self._judged().get("safety") or {}
        return [(of, float(found.get(of, math.nan))) for of in ("parent", "candidate")]

    def _gate(self, figure: str) -> Iterator[tuple[tuple[str, str], float]]:
        """One figure of parent and candidate by slice, of the newest round whose gate judged."""
        summary = self._judged()
        for kind in ("general", "hard"):
            slice_ = summary.get(kind) or {}
            found = slice_ if figure == "agreement" else slice_.get(figure) or {}
            yield from (((kind, of), float(found.get(of, math.nan))) for of in ("parent", "candidate"))

    def _fall(self) -> float:
        deployment = self._conductor.deployment
        found = fall(deployment.state, deployment.kpis() or {})
        return 0.0 if found is None else found[0].mean - found[1].mean

    def _lost(self) -> float:
        lost = self._told.bus.lost
        if lost is None:
            raise Unavailable(self._told.bus.why)
        return lost

    def _spent(self) -> list[tuple[str, float]]:
        spending = self._told.spending
        if spending is None:
            return []
        return [(purpose, getattr(spending, purpose)) for purpose in ("primary", "shadow", "scoring", "probes")]
