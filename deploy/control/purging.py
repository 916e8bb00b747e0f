"""A tenant forgotten: its key destroyed first, then what lies in Redis and in the rounds, each step to be repeated.

From the tombstone on nobody stores or reads what happened before: gateways, workers and the trainer look at it with
every event (`feedback.privacy.keyring`). What remains to be done is to give room back.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from deploy.control.acts import OperatorActs
from deploy.life.deployment import Deployment
from deploy.rounds.forgetting import Forgotten, draws_on, forget_rounds, learned_from
from feedback.privacy.keyring import TenantKeys
from feedback.privacy.vault import FOLDER


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
