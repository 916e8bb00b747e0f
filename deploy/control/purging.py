"""A tenant forgotten: its key destroyed first, then what lies in Redis and in the rounds, each step to be repeated.

From the tombstone on nobody stores or reads what happened before: gateways, workers and the trainer look at it with
every event (`feedback.privacy.keyring`). What remains to be done is to give room back.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from deploy.control.acts import AGAIN, OperatorActs
from deploy.control.context import ControlContext
from deploy.control.operations import NOTHING_NOTED, Noted
from deploy.life.deployment import Deployment
from deploy.life.state import AskedFor
from deploy.rounds.forgetting import Forgotten, draws_on, forget_rounds, learned_from
from feedback.privacy.keyring import TenantKeys
from feedback.privacy.vault import FOLDER
from understudy.errors import UnderstudyError
from understudy.ids import random_id

log = logging.getLogger("understudy.controller")


@dataclass(frozen=True, slots=True)
class Purge:
    """What a purge did, and what it cannot undo."""

    removed: int
    """Samples of the pool."""
    files: Forgotten
    ended: int | None
    """The round under way that drew on the tenant."""
    learned: tuple[str, ...]
    """Versions that were trained on the tenant; what their weights took in stays in them."""
    inherited: tuple[str, ...]
    """Versions trained from the weights of those."""

    def told(self, tenant: str) -> dict[str, Any]:
        """What the audit log and the operator are told."""
        return {
            "tenant": tenant, "removed": self.removed, "rows": self.files.rows, "rounds": list(self.files.rounds),
            "ended": self.ended, "learned": list(self.learned), "inherited": list(self.inherited),
        }  # fmt: skip


class TenantPurges:
    """Purges that are written down before they begin; one that a kill, or Redis' absence, cut off is gone on with.

    `in_redis` removes a tenant there and returns how many samples; None while nobody has said how.
    """

    def __init__(self, context: ControlContext, acts: OperatorActs) -> None:
        self.in_redis: Callable[[str, float], int] | None = None
        self._context = context
        self._acts = acts
        self._running: set[str] = set()
        self._again = 0.0

    def ask(self, tenant: str, until: float, actor: str, noted: Noted = NOTHING_NOTED) -> Purge:
        """Forget what happened to `tenant` up to `until`; rollbacks and ticks go on meanwhile.

        Raises:
            Unavailable: it cannot be written down, and nothing happened; or Redis is away, and it is gone on with.
        """
        deployment = self._context.deployment
        learned, inherited = learned_from(deployment.registry.versions(), deployment.folder.rounds, tenant)
        wish = AskedFor(
            id=random_id(), act="purge", actor=actor, name=tenant, until=until, learned=tuple(learned),
            inherited=tuple(inherited),
        )  # fmt: skip
        self._running.add(wish.id)
        try:
            with self._context.lock:
                deployment.audit.check_open()
                begun = ("pool.purge.begun", actor, {"tenant": tenant, **noted})
                deployment.change(notes=(begun,), asked=(*deployment.state.asked, wish))
            return self._do(wish)
        finally:
            self._running.discard(wish.id)

    def go_on(self, context: ControlContext) -> None:
        """The step that goes on with what was cut off."""
        if self.in_redis is None or context.clock() < self._again:
            return
        for wish in [
            one for one in context.deployment.state.asked if one.act == "purge" and one.id not in self._running
        ]:
            self._again = context.clock() + AGAIN
            try:
                self._do(wish)
            except (OSError, UnderstudyError) as error:
                log.warning("the purge of a tenant is not done yet: %s", error)

    def _do(self, wish: AskedFor) -> Purge:
        deployment = self._context.deployment
        in_redis = self.in_redis or _nothing
        done = purge_tenant(
            deployment, self._acts, wish.name, wish.until, lambda: in_redis(wish.name, wish.until)
        )  # fmt: skip
        done = replace(done, learned=wish.learned, inherited=wish.inherited)
        with self._context.lock:
            left = tuple(one for one in deployment.state.asked if one.id != wish.id)
            deployment.change(notes=(("pool.purged", wish.actor, done.told(wish.name)),), asked=left)
        return done


def _nothing(_: str, __: float) -> int:
    """For a controller without a Redis."""
    return 0


def purge_tenant(
    deployment: Deployment, acts: OperatorActs, tenant: str, until: float, in_redis: Callable[[], int]
) -> Purge:
    """Forget what happened to `tenant` up to `until` (seconds since the epoch).

    Raises:
        Unavailable: Redis is away, as `in_redis` says. The key is gone then already; call it again for the rest.
    """
    root = deployment.folder.rounds
    learned, inherited = learned_from(deployment.registry.versions(), root, tenant)
    TenantKeys(deployment.folder.spool / FOLDER).destroy(tenant, until)
    current = deployment.rounds.current()
    ended = current.id if current is not None and draws_on(root, current.id, tenant) else None
    if ended is not None:
        acts.abort_round(ended, "operator")
    removed = in_redis()
    return Purge(removed, forget_rounds(root, tenant), ended, tuple(learned), tuple(inherited))
