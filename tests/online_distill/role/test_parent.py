"""The parent knows what it would say itself, and nothing is learned from what does not fit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from demo.world import Family, stream
from deploy.registry.store import Registry
from deploy.rounds.store import FileRounds
from online_distill.data.encoding import Encoder
from online_distill.data.rows import Row
from online_distill.role.context import Context
from online_distill.role.parent import Parent
from tests.online_distill.world import make_samples, quick_config, register_model
from trials.system import ROOT
from understudy.state import StateDir

STUDENT = ROOT / "demo" / "registry" / "students" / "v2"


def rows(family: Family, n: int) -> list[Row]:
    samples = make_samples(n)
    return [
        Row.of(sample, "hard", parent="v1").model_copy(update={"messages": list(s.messages), "teacher_text": s.reply})
        for sample, s in zip(samples, stream(3, "traffic", family, n), strict=True)
    ]


def of_demo(context: Context, folder: Path, **changes: Any) -> Context:
    """A round whose parent is the demo's student."""
    state = StateDir(folder)
    registry, rounds = Registry(state), FileRounds(state)
    register_model(registry, STUDENT, "v1", "student")
    return replace(context, registry=registry, rounds=rounds, round=rounds.begin("v1", "t1", "test"), **changes)


def test_replay_that_it_knows_is_marked_and_hard_rows_are_not(context: Context, tmp_path: Path) -> None:
    general, drift = [row.as_anchor("replay") for row in rows("general", 10)], rows("drift", 4)
    parent = Parent(of_demo(context, tmp_path / "demo"), Encoder(STUDENT))
    hard = [row.model_copy(update={"id": f"hard {row.id}"}) for row in rows("general", 5)]
    marked = parent.marked([*hard, *general, *(row.as_anchor("replay") for row in drift)])
    assert not any(row.known for row in (*marked[:5], *marked[15:]))
    assert sum(row.known for row in marked[5:15]) >= 8
    config = quick_config(replay_targets="teacher")
    without = Parent(of_demo(context, tmp_path / "other", config=config), Encoder(STUDENT))
    assert without.marked(general) == general


def test_the_demos_student_knows_general_replies_and_none_of_the_drift(context: Context, tmp_path: Path) -> None:
    general, drift = rows("general", 20), rows("drift", 10)
    long = drift[0].model_copy(update={"messages": [{"role": "user", "content": "so " * 900}]})
    known = Parent(of_demo(context, tmp_path / "demo"), Encoder(STUDENT)).agrees([*general, long, *drift])
    assert sum(known[:20]) >= 18
    assert known[20] is True
    assert sum(known[21:]) == 0


def test_it_is_asked_for_the_tokens_that_the_teacher_gave(context: Context, tmp_path: Path) -> None:
    """A token for each character says the same text, and is nobody's choice."""
    encoder = Encoder(STUDENT)
    parent = Parent(of_demo(context, tmp_path / "demo"), encoder)
    general = rows("general", 6)
    spelled = []
    for row in general:
        tokens = [token for c in row.teacher_text for token in encoder.tokenizer.encode(c, add_special_tokens=False)]
        spelled.append(row.model_copy(update={"teacher_tokens": tuple(tokens)}))
    assert sum(parent.agrees(general)) >= 4
    assert not any(parent.agrees(spelled))
