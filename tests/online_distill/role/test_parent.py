"""The parent knows what it would say itself, and nothing is learned from what does not fit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from demo.world import Family, stream
from deploy.registry.store import Registry
from deploy.rounds.store import FileRounds
from online_distill.data.encoding import Encoder
from online_distill.data.rows import Row
from online_distill.role.context import Context
from online_distill.role.parent import Parent
from tests.online_distill.world import make_samples, register_model
from trials.system import ROOT
from understudy.state import StateDir

STUDENT = ROOT / "demo" / "registry" / "students" / "v2"


def rows(family: Family, n: int) -> list[Row]:
    samples = make_samples(n)
    return [
        Row.of(sample, "hard", parent="v1").model_copy(update={"messages": list(s.messages), "teacher_text": s.reply})
        for sample, s in zip(samples, stream(3, "traffic", family, n), strict=True)
    ]


def test_the_demos_student_knows_general_replies_and_none_of_the_drift(context: Context, tmp_path: Path) -> None:
    state = StateDir(tmp_path / "demo")
    registry, rounds = Registry(state), FileRounds(state)
    register_model(registry, STUDENT, "v1", "student")
    of_demo = replace(context, registry=registry, rounds=rounds, round=rounds.begin("v1", "t1", "test"))
    general, drift = rows("general", 20), rows("drift", 10)
    long = drift[0].model_copy(update={"messages": [{"role": "user", "content": "so " * 900}]})
    known = Parent(of_demo, Encoder(STUDENT)).agrees([*general, long, *drift])
    assert sum(known[:20]) >= 18
    assert known[20] is True
    assert sum(known[21:]) == 0
