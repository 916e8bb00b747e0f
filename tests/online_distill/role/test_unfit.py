"""A cut, a trainer and a controller: the round that its failures begin is judged against the teacher alone."""

from __future__ import annotations

import threading
from pathlib import Path

from deploy.registry.store import Registry
from deploy.rounds.store import FileRounds
from online_distill.role.trainer import Trainer
from tests.deploy.fleet import World
from tests.online_distill.role.pool import fill
from tests.online_distill.world import register_model
from understudy.config import load_config
from understudy.state import StateDir


def test_a_round_of_a_cut_is_judged_by_what_it_says_of_the_teachers_tokens(
    teacher_folder: Path, student: Path, tmp_path: Path, config_file: Path, redis_url: str
) -> None:
    state = StateDir(tmp_path / "fresh")
    register_model(Registry(state), teacher_folder, "t1", "teacher")
    lineage = {"fitness": "unfit", "note": "unfit: some layers of t1"}
    Registry(state).register(
        student, kind="student", parent="t1", teacher="t1", round=None, lineage=lineage, metrics={}, version="v1"
    )
    world = World(state, students=())
    assert world.turn().unfit == "v1"
    fill(redis_url, 200)
    assert Trainer(state, load_config(config_file, {}), threading.Event()).tick() is True
    document = world.turn()
    found = FileRounds(state).get(1)
    told = found.stages["gate"].summary["fitness"]
    assert (found.parent, found.candidate, told["n"] >= 20) == ("v1", "v2", True)
    assert document.stable is None
    learned = told["event"] == "learned"  # so short a training may bring nothing
    assert (found.state, document.unfit) == (("learned", "v2") if learned else ("rejected", "v1"))
