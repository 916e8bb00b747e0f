"""Experiments: as applied, and what they counted."""

from __future__ import annotations

from typing import Literal

from ab.running.phases import AppliedExperiment
from serving.control.replies.base import ControlReply

ExperimentState = Literal["active", "stopped"]


class ExperimentReply(AppliedExperiment):
    """An experiment as it was applied, with its state and its phases."""

    state: ExperimentState


class ExperimentsReply(ControlReply):
    """Every experiment."""

    experiments: list[ExperimentReply]


class PlanReply(ControlReply):
    """What an experiment needs, by what its primary KPI did before."""

    kpi: str
    mean: float
    units_of_history: int
    units: int
    """Over all arms, for a power of 80 % (or as asked)."""
    units_fixed_horizon: int
    days: float | None
    """Until as many new users have come; null: not known."""
    planned_units: int
    power: float
    """Of the planned units."""
    detectable: float
    """What the planned units notice with the power asked for."""


class ExperimentAppliedReply(ControlReply):
    """An experiment that takes part from `epoch` on."""

    id: str
    epoch: int
    warnings: list[str]
    plan: PlanReply | None = None
    """Null: nothing can be planned; a warning says why."""


class UnitRowReply(ControlReply):
    """One of the lines in which users' rows are sent, between one with `columns` and one with `rows`, their number."""

    unit: str
    """A hash under the tenant's key."""
    arm: str
    phase: int
    t: float
    """First exposure in the phase, seconds since 1970."""
    fell_back: bool


class ExperimentStoppedReply(ControlReply):
    """An experiment that takes part until `epoch`; what it counted stays."""

    id: str
    epoch: int
