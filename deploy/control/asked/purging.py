"""A tenant forgotten: its key destroyed first, then what lies in Redis and in the rounds, each step to be repeated.

From the tombstone on nobody stores or reads what happened before: gateways, workers and the trainer look at it with
every event (`feedback.privacy.keyring`). What remains to be done is to give room back.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from deploy.control.acts import OperatorActs
from deploy.control.asked.errands import Errand, Errands, Told
from deploy.control.context import ControlContext
from deploy.control.operations import NOTHING_NOTED, Noted
from deploy.life.deployment import Deployment
from deploy.life.state import AskedFor
from deploy.rounds.forgetting import Forgotten, draws_on, forget_rounds, learned_from
from feedback.privacy.keyring import TenantKeys
from feedback.privacy.vault import FOLDER
from understudy.ids import random_id


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
    """Purges as an errand: one that a kill, or Redis' absence, cut off is gone on with."""

    def __init__(self, context: ControlContext, acts: OperatorActs, errands: Errands) -> None:
        self._context = context
        self._acts = acts
        self._errands = errands

    def reach(self, in_redis: Callable[[str, float], int]) -> None:
        """Purge from now on, with `in_redis(tenant, until)`, which removes a tenant there: how many samples."""

        def deed(wish: AskedFor) -> tuple[Purge, Told]:
            done = purge_tenant(
                self._context.deployment, self._acts, wish.name, wish.until, lambda: in_redis(wish.name, wish.until)
            )
            done = replace(done, learned=wish.learned, inherited=wish.inherited)
            return done, done.told(wish.name)

        self._errands.kinds["purge"] = Errand("pool.purge.begun", "pool.purged", deed, insists=True)

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
        done: Purge = self._errands.ask(wish, {"tenant": tenant, **noted})
        return done


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
