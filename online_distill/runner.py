"""Takes a round through the trainer's stages, from wherever it stands."""

from __future__ import annotations

import time
from dataclasses import replace

from deploy.rounds import Round
from online_distill.stages.context import Context
from online_distill.stages.run import STAGES
from understudy.errors import BadRequest, ConfigError, Conflict, IntegrityError
from understudy.telemetry import emit

FATAL = (BadRequest, ConfigError, Conflict, IntegrityError)
"""What no repetition of a stage mends; the round fails and says why."""


def run_round(context: Context) -> Round:
    """Run the stages that are left; returns the round as it stands then (stage `gate`, or finished).

    Raises:
        Unavailable: a part that a stage needs is away; call again later, nothing is lost.
        Stopped: the trainer was asked to stop.
    """
    this = context.rounds.get(context.round.id)
    while not this.finished and this.state in STAGES:
        stage = this.state
        context = replace(context, round=this)
        context.progress(stage)(0, 1, "")
        began = time.monotonic()
        try:
            outcome = STAGES[stage](context)
            summary, event = outcome.summary, outcome.event
        except FATAL as error:
            summary, event = {"error": error.message}, "failed"
        seconds = time.monotonic() - began
        this = context.rounds.finish(this.id, stage, summary, event)
        emit(f"round.{stage}", seconds, round=this.id, event=event)
    return this

