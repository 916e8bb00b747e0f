"""What a run did, step by step, as it lies beside the checkpoint: enough to do it again."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from online_distill.train.learner import Learner, Taken
from online_distill.train.schedule import Schedule
from understudy.files import write_atomic

TRAJECTORY = "trajectory.jsonl"


class Retreat(BaseModel):
    """A time that a run went back to its last good checkpoint."""

    model_config = ConfigDict(frozen=True)
    at: int
    """Step after which it was lost."""
    to: int
    """Step that came next."""
    rate: float
    """Share of the learning rate from then on."""


def write_trajectory(path: Path, learner: Learner, schedule: Schedule, retreats: Sequence[Retreat]) -> None:
    """JSON lines: one for each plan, retreat and step, the last for the chain over all steps.

    Floats are written so that they are read back to the bit; what is not finite is null.
    """
    plans = ("step", "tokens", "share", "token_seconds")
    lines: list[dict[str, Any]] = [{"plan": dict(zip(plans, one, strict=True))} for one in schedule.plans]
    lines += [{"retreat": one.model_dump()} for one in retreats]
    lines += [{k: v if math.isfinite(v) else None for k, v in taken._asdict().items()} for taken in learner.trajectory]
    lines.append({"chain": learner.chain})
    write_atomic(path, "".join(json.dumps(line, allow_nan=False) + "\n" for line in lines))


def read_trajectory(path: Path) -> tuple[list[Taken], str]:
    """The steps of a run and their chain."""
    lines = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    steps = [_taken(line) for line in lines if "step" in line]
    return steps, next((str(line["chain"]) for line in lines if "chain" in line), "")


def _taken(line: dict[str, Any]) -> Taken:
    share, rate, loss, norm = (math.nan if line[k] is None else line[k] for k in ("share", "rate", "loss", "norm"))
    return Taken(line["step"], share, rate, loss, norm)
