"""A step of the controller that asks a teacher of somebody else fixed prompts, and tells what it answers otherwise.

The asking takes seconds and is done in a thread; a tick only begins it, or takes what came of it.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from deploy.control.context import ControlContext
from deploy.engines.external import ExternalEngine
from deploy.engines.findings import TeacherFindings, read_findings, write_findings
from deploy.engines.probing import ask_teacher
from feedback.store.spending import Spending
from understudy.clock import Clock, wall
from understudy.errors import UnderstudyError
from understudy.state import StateDir

log = logging.getLogger("understudy.controller")
RETRY = 15.0
"""Seconds until a teacher that did not answer is asked again; twice as long after each further time in a row."""
HOUR = 3600.0


class TeacherWatch:
    """`ControlStep`: at the start of a new address, then every `probe_hours`; not while the day's tokens are spent."""

    def __init__(
        self, engine: ExternalEngine, state: StateDir, spending: Callable[[], Spending], clock: Clock = wall
    ) -> None:
        self._engine, self._state, self._spending, self._clock = engine, state, spending, clock
        found = read_findings(state)
        self._known = found if found is not None and found.is_of(engine.url, engine.model) else None
        self._came: list[TeacherFindings] = []
        self._asking: threading.Thread | None = None
        self._began, self._next, self._wait = 0.0, 0.0, RETRY

    def __call__(self, context: ControlContext) -> None:
        """Take what came, and ask when it is time."""
        while self._came:
            self._absorb(context, self._came.pop(0))
        if (self._asking is None or not self._asking.is_alive()) and self._clock() >= self._due():
            self._began = self._clock()
            self._next = self._began + self._wait
            self._wait = min(2 * self._wait, HOUR, self._engine.probe_hours * HOUR)  # until it succeeds
            self._asking = threading.Thread(target=self._ask, name="teacher-watch", daemon=True)
            self._asking.start()

    def _due(self) -> float:
        """When to ask next; at once after the clock was set back, by which nobody knows how long ago it was."""
        now, asked = self._clock(), 0.0 if self._known is None else self._known.asked
        pause = self._next if now >= self._began else 0.0
        return max(pause, asked + self._engine.probe_hours * HOUR if 0 < asked <= now else 0.0)

    def _ask(self) -> None:
        known = self._known
        try:
            spending = self._spending()
            if not spending.over():
                self._came.append(ask_teacher(self._engine, known, lambda n: spending.add("probes", n), self._clock))
            self._wait = RETRY
        except UnderstudyError as error:
            blank = TeacherFindings(url=self._engine.url, model=self._engine.model)
            self._came.append((known or blank).model_copy(update={"error": error.message}))

    def _absorb(self, context: ControlContext, found: TeacherFindings) -> None:
        """The audit log first: what is not in the file yet is noticed again."""
        known = self._known
        if found == known:
            return
        if found.error:
            log.warning("the teacher at %s could not be asked what it gives: %s", found.url, found.error)
        elif known is None or not known.asked:
            context.deployment.audit.keep("teacher.found", "controller", url=found.url, gives=found.gives)
            log.info("the teacher at %s gives %s", found.url, found.gives)
        for change in found.changes[-1:] if known is not None and found.changes != known.changes else ():
            told = {"url": found.url, "what": list(change.what), "replaced": change.replaced}
            context.deployment.audit.keep("teacher.changed", "controller", **told)
            log.warning("the teacher at %s answers otherwise than before: %s", found.url, "; ".join(change.what))
        write_findings(self._state, found)
        self._known = found
