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


class ExperimentAppliedReply(ControlReply):
    """An experiment that takes part from `epoch` on."""

    id: str
    epoch: int
    warnings: list[str]


class ExperimentStoppedReply(ControlReply):
    """An experiment that takes part until `epoch`; what it counted stays."""

    id: str
    epoch: int
