"""Deeds outside the controller's own state: written down with their audit entry, then done, then told.

A controller that is killed in between leaves the wish behind, and its successor does the deed (again): so each is one
that changes nothing the second time, or whose second time harms nobody. Ticks and rollbacks go on meanwhile.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from deploy.control.acts import AGAIN
from deploy.control.context import ControlContext
from deploy.life.deployment import Note
from deploy.life.state import AskedFor
from understudy.errors import UnderstudyError

log = logging.getLogger("understudy.controller")
Told = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Errand:
    """One sort of deed."""

    asked: str
    """The audit log's word for its beginning."""
    done: str
    """And for its end; empty: the beginning says all."""
    deed: Callable[[AskedFor], tuple[Any, Told]]
    """Does it; returns the operator's answer, and what the audit log is told."""
    insists: bool = False
    """Whether one that fails is tried again until it succeeds; otherwise its failure is its end."""


class Errands:
    """The deeds by `AskedFor.act`; those that nobody has said how to do wait."""

    def __init__(self, context: ControlContext) -> None:
        self.kinds: dict[str, Errand] = {}
        self._context = context
        self._running: set[str] = set()
        self._again = 0.0

    def ask(self, wish: AskedFor, said: Told) -> Any:
        """Write down that `wish` is wanted, and do it; returns the deed's answer.

        Raises:
            Unavailable: it cannot be written down, and nothing happened; or what the deed raises.
        """
        deployment = self._context.deployment
        self._running.add(wish.id)
        try:
            with self._context.lock:
                deployment.audit.check_open()
                begun = (self.kinds[wish.act].asked, wish.actor, dict(said))
                deployment.change(notes=(begun,), asked=(*deployment.state.asked, wish))
            return self._do(wish)
        finally:
            self._running.discard(wish.id)

    def go_on(self, context: ControlContext) -> None:
        """The step that does what a kill, or a deed that failed, left undone."""
        if context.clock() < self._again:
            return
        for wish in [one for one in context.deployment.state.asked if one.act in self.kinds]:
            if wish.id in self._running:
                continue
            self._again = context.clock() + AGAIN
            try:
                self._do(wish)
            except (OSError, UnderstudyError) as error:
                log.warning("what an operator asked for (%s) is not done yet: %s", wish.act, error)

    def _do(self, wish: AskedFor) -> Any:
        kind = self.kinds[wish.act]
        try:
            answer, told = kind.deed(wish)
        except UnderstudyError as error:
            if not kind.insists:
                self._over(wish, (f"{kind.asked}.failed", "controller", {"why": error.message}))
            raise
        self._over(wish, *([(kind.done, wish.actor, dict(told))] if kind.done else []))
        return answer

    def _over(self, wish: AskedFor, *notes: Note) -> None:
        deployment = self._context.deployment
        with self._context.lock:
            left = tuple(one for one in deployment.state.asked if one.id != wish.id)
            deployment.change(notes=notes, asked=left)
