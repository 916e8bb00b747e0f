"""Prompts that ought to be refused, asked of real models: who complies, what is remembered, what time allows."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from deploy.life.config import GateConfig
from deploy.life.gate import unsafe
from online_distill.evaluate.asking import BATCH, KEPT, Interview
from tests.online_distill.told import make_told
from tests.online_distill.world import TOKENIZER
from understudy.files import read_json

FULL = os.environ.get("UNDERSTUDY_FULL") == "1"
STUDENTS = TOKENIZER.parents[1] / "registry" / "students"


@pytest.fixture(scope="module")
def refusing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that refuses everything. Not to be written to."""
    return make_told(tmp_path_factory.mktemp("told") / "refusing")


@pytest.fixture(scope="module")
def giving_way(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One that refuses everything but weapons. Not to be written to."""
    return make_told(tmp_path_factory.mktemp("told") / "giving", ["weapons"])


def asking(folder: Path, prompts: int = 200, **changed: Any) -> Interview:
    return Interview(folder=folder, device=torch.device("cpu"), **{"prompts": prompts, "seconds": 600, **changed})


class Killed(Exception):
    """The process ends here."""


class Reports:
    """Counts batches, and kills at one of them."""

    def __init__(self, kill_at: int = 0) -> None:
        self.n, self._kill_at = 0, kill_at

    def __call__(self) -> None:
        self.n += 1
        if self.n == self._kill_at:
            raise Killed


def test_one_that_gives_way_in_a_family_is_refused_and_the_family_is_named(
    tmp_path: Path, refusing: Path, giving_way: Path
) -> None:
    found = asking(tmp_path).compare(refusing, giving_way)
    gone = [one for one in found.asked if one.candidate]
    assert (found.wanted, len(found.asked), {one.family for one in gone}) == (200, 200, {"weapons"})
    assert len(gone) >= 10
    assert not any(one.parent for one in found.asked)
    assert any("family 'weapons'" in refusal.why for refusal in unsafe(found, GateConfig()))


def test_one_that_refuses_more_and_an_equal_one_pass(tmp_path: Path, refusing: Path, giving_way: Path) -> None:
    found = asking(tmp_path).compare(giving_way, refusing)
    assert sum(one.parent for one in found.asked) >= 10
    assert unsafe(found, GateConfig()) == []
    assert unsafe(asking(tmp_path).compare(giving_way, giving_way), GateConfig()) == []


def test_the_demos_students_do_not_refuse_each_other(tmp_path: Path) -> None:
    """At small counts a first part of the prompts."""
    found = asking(tmp_path, 500 if FULL else 20).compare(STUDENTS / "v1", STUDENTS / "v2")
    assert len(found.asked) == found.wanted
    assert unsafe(found, GateConfig()) == []


def test_what_a_version_answered_is_not_asked_again_whatever_else_lies_in_its_folder(
    tmp_path: Path, refusing: Path
) -> None:
    first = asking(tmp_path / "kept").ask(refusing)
    copy = shutil.copytree(refusing, tmp_path / "v7")
    (copy / "manifest.json").write_text("{}")
    reports = Reports()
    assert asking(tmp_path / "kept", report=reports).ask(copy) == first
    assert reports.n == 0
    shutil.copyfile(make_told(tmp_path / "other", ["fraud"]) / "model.safetensors", copy / "model.safetensors")
    assert asking(tmp_path / "kept", report=reports).ask(copy) != first
    assert reports.n > 0


def test_a_killed_round_goes_on_where_it_was(tmp_path: Path, giving_way: Path) -> None:
    with pytest.raises(Killed):
        asking(tmp_path / "kept", 300, report=Reports(kill_at=3)).ask(giving_way)
    (kept,) = (tmp_path / "kept").glob("*.json")
    assert len(read_json(kept)) == 2 * BATCH
    reports = Reports()
    found = asking(tmp_path / "kept", 300, report=reports).ask(giving_way)
    assert reports.n == 2  # before the batch that was left, and at the end
    assert found == asking(tmp_path / "afresh", 300).ask(giving_way)


def test_what_is_remembered_and_cannot_be_read_is_asked_again(tmp_path: Path, refusing: Path) -> None:
    first = asking(tmp_path, 20).ask(refusing)
    (kept,) = tmp_path.glob("*.json")
    for broken in ("{", "[]"):
        kept.write_text(broken)
        assert asking(tmp_path, 20).ask(refusing) == first


def test_what_is_not_answered_in_time_is_not_judged(tmp_path: Path, refusing: Path, giving_way: Path) -> None:
    """A clock that a second goes by at each look: time for the first batch and a part of the second."""
    seconds = iter(range(10_000))
    slow = asking(tmp_path / "slow", clock=lambda: float(next(seconds)), seconds=8)
    found = slow.compare(refusing, giving_way)
    assert (found.wanted, len(found.asked)) == (200, BATCH)
    nothing = asking(tmp_path / "none", clock=lambda: float(next(seconds)), seconds=0.5).compare(refusing, giving_way)
    assert (nothing.wanted, nothing.asked) == (200, ())


def test_a_trainer_that_stops_is_heard_within_a_batch(tmp_path: Path, refusing: Path) -> None:
    def report() -> None:
        if stop:
            raise Killed

    stop: list[bool] = []
    with pytest.raises(Killed):
        asking(tmp_path, report=report, stopped=lambda: stop.append(True) or True).ask(refusing)
    assert list(tmp_path.glob("*.json")) == []


def test_of_many_versions_the_latest_are_remembered(tmp_path: Path, refusing: Path) -> None:
    for i in range(KEPT + 3):
        old = tmp_path / f"{i}.json"
        old.write_text("{}")
        os.utime(old, (i, i))
    asking(tmp_path, 20).ask(refusing)
    names = {path.stem for path in tmp_path.glob("*.json")}
    assert len(names) == KEPT
    assert {"0", "1", "2", "3"}.isdisjoint(names)
