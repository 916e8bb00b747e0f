"""Takes a round through the trainer's stages, from wherever it stands."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

from deploy.rounds.record import Round
from online_distill.role.context import Context, Stopped
from online_distill.role.stages.table import STAGES
from understudy.errors import (
    BadRequest,
    ConfigError,
    Conflict,
    IllegalTransition,
    IntegrityError,
    NotFound,
    Unavailable,
)
from understudy.files import is_ready, read_json, write_json

FATAL = (BadRequest, ConfigError, Conflict, IntegrityError, NotFound)
"""What no repetition of a stage mends; the round fails and says why."""
MOST_ATTEMPTS = 20


def run_round(context: Context) -> Round:
    """Run the stages that are left; returns the round as it stands then (stage `gate`, or finished).

    A stage that somebody else ended (see `RoundStore.fail`) stops when it next reports its progress.

    Raises:
        Unavailable: a part that a stage needs is away; call again later, nothing is lost.
        Stopped: the trainer was asked to stop.
    """
    this = context.rounds.get(context.round.id)
    while not this.finished and this.state in STAGES:
        stage = this.state
        inside = replace(context, round=this, stopped=partial(_over, context, stage))
        try:
            inside.progress(stage)(0, 1, "")
            summary, event = _attempt(inside, stage)
            this = context.rounds.finish(this.id, stage, summary, event)
        except (Stopped, IllegalTransition):
            this = context.rounds.get(this.id)
            if not this.finished:
                raise
    return this


def _over(context: Context, stage: str) -> bool:
    return context.stopped() or is_ready(context.folder(stage))


def _attempt(context: Context, stage: str) -> tuple[dict[str, Any], str]:
    """One attempt at a stage, counted before it begins: one that kills its process every time must end."""
    record = context.folder(stage) / "attempts.json"
    attempts = int(read_json(record)["attempts"]) if record.is_file() else 0
    if attempts >= MOST_ATTEMPTS:
        return {"error": f"the stage was begun {attempts} times and never ended; see the trainer's log"}, "failed"
    write_json(record, {"attempts": attempts + 1})
    try:
        outcome = STAGES[stage](context)
    except FATAL as error:
        return {"error": error.message}, "failed"
    except (Unavailable, Stopped):
        write_json(record, {"attempts": attempts})
        raise
    return outcome.summary, outcome.event
