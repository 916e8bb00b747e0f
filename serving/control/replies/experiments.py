"""Experiments: as applied, and what they counted."""

from __future__ import annotations

from typing import Literal

from ab.experiment import Experiment
from serving.control.replies.base import ControlReply

ExperimentState = Literal["active", "stopped"]


class ExperimentReply(Experiment):
    """An experiment as it was applied, with its state."""

    state: ExperimentState


class ExperimentsReply(ControlReply):
    """Every experiment; of the active ones the first that matches a request takes it."""

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
