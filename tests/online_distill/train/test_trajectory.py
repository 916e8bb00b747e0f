"""What a run did is read back to the bit, skipped steps included."""

from __future__ import annotations

import json
import math
from pathlib import Path

from online_distill.train.learner import Learner
from online_distill.train.schedule import Bounds, Schedule
from online_distill.train.trajectory import Retreat, read_trajectory, write_trajectory
from tests.online_distill.train.targets import random_targets
from tests.online_distill.world import quick_config


def test_steps_are_read_back_to_the_bit(student: Path, tmp_path: Path) -> None:
    learner = Learner(student, quick_config().recipe, mean_weight=1.0)
    items = random_targets(4)
    learner.step(items, 1 / 3, 0.1)
    learner.model.get_output_embeddings().weight.data[0] = math.nan
    learner.step(items, 0.7, 0.2)
    schedule = Schedule(Bounds(seconds=9.0, least=0, most=1e6))
    schedule.plan(0, 1e-3)
    path = tmp_path / "trajectory.jsonl"
    write_trajectory(path, learner, schedule, [Retreat(at=9, to=4, rate=0.5)])
    steps, chain = read_trajectory(path)
    assert chain == learner.chain
    assert steps[0] == learner.trajectory[0]
    assert (steps[1].rate, steps[1].share, math.isnan(steps[1].loss)) == (0.7, 0.2, True)
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert lines[0]["plan"] == {"step": 0, "tokens": 9000, "share": 0.0, "token_seconds": 1e-3}
    assert lines[1]["retreat"] == {"at": 9, "to": 4, "rate": 0.5}
