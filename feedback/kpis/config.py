"""Configuration of the KPIs."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar

from pydantic import Field

from understudy.config import Section


class KpisConfig(Section):
    """Names accepted by /v1/feedback beside the built-in ones, and how much is remembered for how long."""

    RENAMED: ClassVar[Mapping[str, str]] = MappingProxyType({"targets": "target_bytes"})
    declared: tuple[str, ...] = ()
    """Names of further KPIs that feedback may bring."""
    late_days: float = Field(default=30, gt=0, le=366)
    """How long a response, a session, or feedback that came before its response is remembered."""
    target_bytes: int = Field(default=2 << 30, gt=0)
    """Bytes of Redis for responses and sessions that feedback may name, about 140 each; the oldest go, counted."""
    early_bytes: int = Field(default=64 << 20, gt=0)
    """Bytes of Redis for feedback that came before what it names; the oldest goes first, counted."""
    row_bytes: int = Field(default=1 << 30, gt=0)
    """Bytes of Redis for the rows of users, about 300 each; beyond it users that are new have no row, counted."""
    tenant_row_bytes: int = Field(default=512 << 20, gt=0)
    """Bytes of Redis for the rows of one tenant's users. Before it the rows that changed longest ago go into Parquet
    files of the state directory, and come back to change; without the extra `experiments` new users get none."""
    spill_bytes: int = Field(default=4 << 30, gt=0)
    """Bytes of disk for one tenant's rows in such files; beyond it the oldest file goes, counted."""
    row_places: int = Field(default=64, gt=2)
    """Versions and experiments in which one user is followed; of older ones the arm's part is kept, counted. Of as many
    experiments with a covariate what he had done before is kept; in later ones he counts as one without a past."""
