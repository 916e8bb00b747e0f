"""Masked prompts that lead clusters of prompts: what names a cluster to whoever reads about a round.

A mask blanks numbers and names, not what was said; so they are sealed as the rows beside them, and go with a purge.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any, ClassVar

import msgspec
from pydantic import BaseModel, ConfigDict

from feedback.privacy.vault import Purged, Sealed, Vault


class ClusterLeader(BaseModel):
    """The first prompt of a cluster; `prompt` is empty once its tenant is purged, and the cluster stays."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    TEXT: ClassVar[tuple[str, ...]] = ("prompt",)
    id: str
    """Of the cluster."""
    tenant: str = "default"
    at: float = 0.0
    """Seconds since the epoch, when it was asked; 0: not known, and any purge of the tenant reaches it."""
    prompt: str = ""


def stored(leader: ClusterLeader, vault: Vault | None) -> dict[str, Any]:
    """The leader as it lies in a file; without its prompt where its tenant was purged meanwhile."""
    bare: dict[str, Any] = leader.model_copy(update={"prompt": ""}).model_dump()
    if vault is None or not leader.prompt:
        return bare | {"prompt": leader.prompt}
    with suppress(Purged):
        return msgspec.json.decode(vault.seal(leader), type=dict[str, Any])
    return bare


def opened(value: Mapping[str, Any], vault: Vault | None) -> ClusterLeader:
    """What `stored` gave; without its prompt where that was purged since, or there is no vault.

    Raises:
        Sealed: its key is not here although its tenant was not purged.
        ValueError: it is no such thing.
    """
    with suppress(Purged):
        return vault.open(ClusterLeader, msgspec.json.encode(value)) if vault else ClusterLeader.model_validate(value)
    return ClusterLeader.model_validate(value)


def prompt_of(entry: Mapping[str, Any], vault: Vault) -> str:
    """The prompt that names an entry of `clusters.json`, as this release or one that did not seal wrote it."""
    led = entry.get("led")
    if not isinstance(led, dict):
        return str(entry.get("prompt", ""))
    with suppress(Sealed, ValueError):
        return opened(led, vault).prompt
    return ""
