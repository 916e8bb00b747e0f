"""The trainer: resumes an open round, else begins one when there is a reason to."""

from __future__ import annotations

import logging
import threading

from deploy.engines.external import as_configured, external_engines
from deploy.engines.findings import read_findings
from deploy.engines.knowledge import Knowledge, read_knowledge, write_knowledge
from deploy.life.config import GateConfig
from deploy.registry.config import RegistryConfig
from deploy.registry.store import Registry
from deploy.rounds.record import Round
from deploy.rounds.store import FileRounds
from deploy.routing.document import EXTERNAL, RoutingDocument, SlotView
from deploy.routing.stores import open_routing
from feedback.pool.config import PoolConfig
from feedback.privacy.vault import FOLDER, Vault
from feedback.store.connection import connect, find_redis
from feedback.store.keys import RedisKeys
from feedback.store.spending import Spending
from online_distill.data.material import of_teacher
from online_distill.data.source import PoolSource, Requests
from online_distill.role.config import TrainerConfig
from online_distill.role.context import Context, Source
from online_distill.role.metrics import TrainerFigures
from online_distill.role.runner import run_round
from online_distill.role.scorers import make_scorer
from online_distill.role.stages.table import STAGES
from online_distill.role.trigger import Situation, reason_to_begin
from online_distill.teacher.knowledge import of_findings, of_folders
from online_distill.teacher.metered import check
from online_distill.teacher.replies import ReplyScorer
from online_distill.teacher.scorer import Scorer
from understudy.config import Config
from understudy.errors import Conflict, NotFound, Unavailable
from understudy.state import StateDir

log = logging.getLogger("understudy.trainer")


class Trainer:
    """One decision at a time, each from what lies on disk and in Redis: nothing of a round is held in memory."""

    def __init__(self, state: StateDir, config: Config, stop: threading.Event, source: Source | None = None) -> None:
        self._state, self._stop = state, stop
        self.figures = TrainerFigures()
        self._config = config.section(TrainerConfig)
        self._gate = config.section(GateConfig)
        self._external = external_engines(config)
        self._registry = Registry(state, trusted=config.section(RegistryConfig).trusted_keys)
        self._rounds = FileRounds(state)
        redis = find_redis(config, state)
        url, prefix = redis.url, redis.prefix
        self._documents = open_routing(state, url, prefix).documents
        teacher = self._external.get("teacher")
        metered = teacher is not None and bool(url)
        self._spending = (
            Spending(connect(url), RedisKeys(prefix), teacher.daily_tokens) if metered and teacher is not None else None
        )
        self._looked, self._of_other = ("", "", ""), Knowledge()
        self._requests = Requests(url, prefix)
        self._vault = Vault(state.spool / FOLDER)
        self._source = source or PoolSource(url, prefix, config.section(PoolConfig), self._vault)

    def tick(self, now: bool = False) -> bool:
        """Resume or begin a round when there is reason to (`now`: in any case); True when a stage was run.

        Raises:
            Unavailable: a part is away; call again later.
            NotFound: `now`, and there is no student to train.
            Conflict: `now`, and no round can begin.
        """
        current = self._rounds.current()
        if current is None:
            current = self._begin(now)
        if current is None or current.state not in STAGES:
            if now:
                raise Conflict(_why_not(current))
            return False
        log.info("round %d: %s (%s)", current.id, current.state, current.why)
        self.figures.working = True
        try:
            done = run_round(self._context(current))
        finally:
            self.figures.working = False
        self.figures.add(current, done)
        last = done.stages[next(reversed(done.stages))].summary
        log.info("round %d: now %s%s", done.id, done.state, f": {last['error']}" if "error" in last else "")
        return True

    def _begin(self, now: bool) -> Round | None:
        if "student" in self._external:
            if now:
                raise Conflict("`engines.student` is run by somebody else: there are no weights here to train")
            return None
        if self._spending is not None:
            check(self._spending)
        document = self._documents.read()
        parent, teacher = self._parent(document), self._teacher(document)
        requested = self._requests.read()
        knowledge = None if parent is None else self._knowledge(teacher, parent)
        since = 0.0 if knowledge is None else knowledge.since
        situation = Situation(
            fresh=0 if now or requested is not None or parent is None else self._fresh(parent, teacher, since),
            requested="by hand" if now else requested,
            frozen=document is not None and "learning" in document.frozen,
            parent=parent,
        )
        why = reason_to_begin(situation, self._config.min_fresh)
        if now and parent is None:
            raise NotFound("there is no student version in the registry to train; register one first")
        if why is None or parent is None:
            return None
        begun = self._rounds.begin(parent, teacher, why, self._config.budget_seconds)
        self._requests.clear()
        return begun

    def _fresh(self, parent: str, teacher: str, since: float) -> int:
        """Failures since the last round; where they are enough, those beside the text of this `teacher` alone."""
        selects = [found.stages["select"] for found in self._rounds.all() if "select" in found.stages]
        position = int(selects[0].summary.get("position", 0)) if selects else 0
        found = self._source.fresh_since(position, parent, self._config.min_fresh)
        if found < self._config.min_fresh:
            return found
        return len(of_teacher(self._source.fresh(position, parent), teacher, since))

    def _parent(self, document: RoutingDocument | None) -> str | None:
        if document is not None:
            return None if document.stable == EXTERNAL else document.stable or document.unfit
        return next((m.version for m in self._registry.versions() if m.kind == "student"), None)

    def _teacher(self, document: RoutingDocument | None) -> str:
        if document is not None:
            return document.teacher
        return next((m.version for m in self._registry.versions() if m.kind == "teacher"), EXTERNAL)

    def _context(self, current: Round) -> Context:
        document = self._documents.read()
        unfit = document is not None and document.unfit == current.parent
        return Context(
            round=current, rounds=self._rounds, registry=self._registry, config=self._config, source=self._source,
            make_scorer=self._scorer, knowledge=self._knowledge(current.teacher, current.parent), gate=self._gate,
            unfit=unfit, vault=self._vault, stopped=self._stop.is_set,
        )  # fmt: skip

    def _knowledge(self, teacher: str, parent: str) -> Knowledge:
        """What of the teacher can be learned from; said where `status` finds it."""
        if teacher == EXTERNAL:
            found = self._of_others(parent)
        else:
            found = of_folders(self._registry.path(teacher), self._registry.path(parent))
        if found != read_knowledge(self._state):
            write_knowledge(self._state, found)
        return found

    def _of_others(self, parent: str) -> Knowledge:
        """What of a teacher that somebody else runs; looked at again when the controller has asked it again.

        Raises:
            Unavailable: it has not answered yet what it gives.
        """
        engine, found = self._external.get("teacher"), read_findings(self._state)
        if engine is None or found is None or not found.asked or not found.is_of(engine.url, engine.model):
            why = f" ({found.error})" if found is not None and found.error else ""
            raise Unavailable(f"the teacher has not told yet what can be learned from it{why}; the controller asks it")
        if self._looked != (found.identity, found.gives, parent):
            self._of_other = of_findings(found, self._registry.path(parent))
            self._looked = (found.identity, found.gives, parent)
        return self._of_other

    def _scorer(self, current: Round) -> Scorer | ReplyScorer:
        known = self._knowledge(current.teacher, current.parent)
        spending = self._spending if current.teacher == EXTERNAL else None
        return make_scorer(
            current, self._registry, self._config, self._teacher_slot, self._state.engine_key, known, spending
        )

    def _teacher_slot(self) -> SlotView | None:
        document = self._documents.read()
        return None if document is None else as_configured(document, self._external).slots.get("teacher")


def _why_not(current: Round | None) -> str:
    """Why no round begins although one was asked for."""
    if current is None:
        return "learning is frozen, so no round begins; `understudy resume learning` ends that"
    return f"round {current.id} is at its stage {current.state}, which the controller ends; a round begins after it"
