"""The trainer's stages by name, in the order of a round."""

from __future__ import annotations

from collections.abc import Callable

from online_distill.role.context import Context, StageOutcome
from online_distill.role.stages.distil import distil_stage
from online_distill.role.stages.evaluate import evaluate_stage
from online_distill.role.stages.export import export_stage
from online_distill.role.stages.register import register_stage
from online_distill.role.stages.score import score_stage
from online_distill.role.stages.select import select_stage

STAGES: dict[str, Callable[[Context], StageOutcome]] = {
    "select": select_stage,
    "score": score_stage,
    "distil": distil_stage,
    "export": export_stage,
    "evaluate": evaluate_stage,
    "register": register_stage,
}
"""The stages that the trainer owns, by the names of `deploy.rounds.table`; the controller owns the rest."""
