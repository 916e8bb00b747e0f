"""The distil loop: exact after kill -9, a rate that only falls, back from where it is lost, anew by another recipe."""

from __future__ import annotations

import itertools
import json
import math
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch

from online_distill.role.context import Stopped
from online_distill.role.stages.export import export_weights
from online_distill.teacher.targets import Scored, load_all, save_shard
from online_distill.train.checkpoint import CHECKPOINT, trained_weights, weights_digest
from online_distill.train.distil import MOST_RETREATS, Diverged, distil
from online_distill.train.learner import Learner, StepReport
from online_distill.train.pace import Pace
from online_distill.train.watch import PATIENCE
from tests.online_distill.train.targets import random_targets
from tests.online_distill.world import quick_config

RUN = """
import os, signal, sys
from pathlib import Path
from online_distill.train.learner import Learner
from online_distill.train.distil import distil
from online_distill.teacher.targets import load_all
from tests.online_distill.train.test_distil import SETTINGS, StepClock
from tests.online_distill.world import quick_config
folder, parent, shards = map(Path, sys.argv[1:])
clock = StepClock()
step = Learner.step
def step_or_die(self, *given):
    if self.done == 35:
        os.kill(os.getpid(), signal.SIGKILL)
    return step(self, *given)
Learner.step = step_or_die
distil(folder, parent, load_all(shards), quick_config(**SETTINGS).recipe, clock.pace())
"""
"""A run that is killed in its 36th step."""

SETTINGS: dict[str, Any] = {"max_epochs": 20, "ema": 0.9, "pull": 1.0}
SECONDS, CHECKPOINT_SECONDS = 6.0, 0.5


class StepClock:
    """A clock that steps alone move, without rounding: slow ones at first, so that the plan is revised."""

    def __init__(self) -> None:
        self.now = 0.0
        take = Learner.step

        def step(learner: Learner, *given: Any) -> StepReport:
            self.now += 0.1875 if learner.done < 12 else 0.0625
            return take(learner, *given)

        Learner.step = step  # type: ignore[method-assign]
        self.put_back: Callable[[], None] = lambda: setattr(Learner, "step", take)

    def pace(self, **changes: Any) -> Pace:
        return Pace(
            **{"seconds": SECONDS, "checkpoint_seconds": CHECKPOINT_SECONDS, "clock": lambda: self.now, **changes}
        )


@contextmanager
def step_clock() -> Iterator[StepClock]:
    """A clock for as long as it is used."""
    made = StepClock()
    try:
        yield made
    finally:
        made.put_back()


def digest_of(folder: Path) -> str:
    """SHA-256 over the trained weights."""
    return weights_digest(trained_weights(folder / CHECKPOINT))


def steps_in(folder: Path) -> list[dict[str, Any]]:
    """The steps of the trajectory."""
    lines = [json.loads(line) for line in (folder / "trajectory.jsonl").read_text().splitlines()]
    return [line for line in lines if "step" in line]


@dataclass(frozen=True)
class Killed:
    """A run that was killed in its 36th step: its folder, its parent and its targets."""

    folder: Path
    parent: Path
    items: list[Scored]

    def end(
        self, root: Path, fresh: bool = False, pace: dict[str, Any] | None = None, **changes: Any
    ) -> tuple[str, dict[str, Any], list[str]]:
        """Digest of the weights, summary and notes of a copy that goes on; `fresh`: from its beginning."""
        folder, notes = root / "copy", list[str]()
        shutil.copytree(self.folder, folder)
        if fresh:
            (folder / CHECKPOINT).unlink()
        recipe = quick_config(**{**SETTINGS, **changes}).recipe

        def report(done: float, total: float, note: str) -> None:
            notes.append(note)

        with step_clock() as clock:
            _, summary = distil(folder, self.parent, self.items, recipe, clock.pace(**(pace or {})), report)
        return digest_of(folder), summary, notes


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory, student: Path) -> Killed:
    root = tmp_path_factory.mktemp("killed")
    shards, folder = root / "shards", root / "folder"
    for made in (shards, folder):
        made.mkdir()
    save_shard(shards / "shard-00001.targets", random_targets(60))
    command = [sys.executable, "-c", RUN, str(folder), str(student), str(shards)]
    ended = subprocess.run(command, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}, check=False)
    assert ended.returncode == -signal.SIGKILL
    assert 0 < torch.load(folder / CHECKPOINT, weights_only=True)["learner"]["done"] < 35
    return Killed(folder, student, load_all(shards))


@pytest.fixture(scope="module")
def straight(killed: Killed, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, dict[str, Any]]:
    """Digest of the weights of the same run, and its summary, when nobody kills it."""
    digest, summary, _ = killed.end(tmp_path_factory.mktemp("straight"), fresh=True)
    assert summary["resumed"] is False
    return digest, summary


def test_a_killed_run_whose_plan_changes_ends_with_the_same_bits(
    killed: Killed, straight: tuple[str, dict[str, Any]], tmp_path: Path
) -> None:
    digest, summary, _ = killed.end(tmp_path)
    assert (summary["resumed"], summary["anew"]) == (True, "")
    assert summary["plans"] > 3
    assert digest == straight[0] == summary["weights"]
    assert {**summary, "resumed": False} == straight[1]


def test_the_rate_never_rises_after_the_warm_up(killed: Killed, tmp_path: Path) -> None:
    _, summary, _ = killed.end(tmp_path)
    steps = steps_in(tmp_path / "copy")
    assert [step["step"] for step in steps] == list(range(summary["steps"]))
    rates, shares = ([step[key] for step in steps] for key in ("rate", "share"))
    assert rates[1:] == sorted(rates[1:], reverse=True)
    assert shares == sorted(shares)
    assert shares[-1] > 0.9


def test_the_summary_says_what_was_planned_and_at_what_pace(straight: tuple[str, dict[str, Any]]) -> None:
    _, summary = straight
    assert summary["train_seconds"] == pytest.approx(SECONDS, abs=0.5)
    assert summary["token_seconds"] > 0
    assert 1 / 3.5 < summary["steps_planned"] / summary["steps"] < 1  # as slow as the first steps were


def test_a_pace_that_is_known_is_planned_by_at_once(
    killed: Killed, straight: tuple[str, dict[str, Any]], tmp_path: Path
) -> None:
    known = straight[1]["token_seconds"]
    _, summary, _ = killed.end(tmp_path, fresh=True, pace={"token_seconds": known})
    assert 1 / 1.5 < summary["steps_planned"] / summary["steps"] < 1.5


def test_how_closely_a_run_is_looked_after_may_change_in_the_middle_of_it(killed: Killed, tmp_path: Path) -> None:
    _, summary, notes = killed.end(tmp_path, pace={"checkpoint_seconds": 5.0, "replan": False})
    assert (summary["resumed"], summary["anew"]) == (True, "")
    assert not any("anew" in note for note in notes)


def test_another_recipe_begins_anew_and_says_why(
    killed: Killed, straight: tuple[str, dict[str, Any]], tmp_path: Path
) -> None:
    digest, summary, notes = killed.end(tmp_path, learning_rate=1e-3)
    assert summary["resumed"] is False
    assert summary["anew"] == "trainer.learning_rate is 0.001, was 0.003"
    assert notes[0] == "begins anew: trainer.learning_rate is 0.001, was 0.003"
    assert digest != straight[0]


def test_other_targets_do_not_resume_a_checkpoint(student: Path, tmp_path: Path) -> None:
    recipe = quick_config(max_epochs=1).recipe
    distil(tmp_path, student, random_targets(20), recipe, Pace(seconds=10.0))
    _, summary = distil(tmp_path, student, random_targets(20, seed=5), recipe, Pace(seconds=10.0))
    assert (summary["resumed"], summary["anew"]) == (False, "the targets are others")


def test_bad_rows_and_texts_are_dropped_and_counted(student: Path, tmp_path: Path) -> None:
    items = random_targets(20)
    items[0].top.logprobs[0, 0] = math.nan
    items[1].tokens[0] = 4096
    _, summary = distil(tmp_path, student, items, quick_config(max_epochs=1).recipe, Pace(seconds=10.0))
    assert summary["dropped"] == {"rows: not a number": 1, "texts: a token beyond the vocabulary": 1}
    assert (summary["texts"], summary["skipped_steps"], summary["retreats"]) == (19, 0, [])


def poisoned(monkeypatch: pytest.MonkeyPatch, harm: Callable[[Learner, float], bool]) -> None:
    """Put a NaN into the weights before each step (learner, rate) that `harm` names."""
    take = Learner.step

    def step(learner: Learner, items: Sequence[Scored], factor: float, share: float) -> StepReport:
        if harm(learner, factor):
            learner.model.get_output_embeddings().weight.data[0] = math.nan
        return take(learner, items, factor, share)

    monkeypatch.setattr(Learner, "step", step)


def test_a_run_that_is_lost_goes_back_and_on_at_half_the_rate(
    student: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A rate above 0.6 of its peak breaks this student from its 20th step on."""
    poisoned(monkeypatch, lambda learner, factor: learner.done >= 20 and factor > 0.6)
    with step_clock() as clock:
        learner, summary = distil(
            tmp_path, student, random_targets(60), quick_config(max_epochs=20).recipe,
            clock.pace(seconds=60.0, checkpoint_seconds=1.0),
        )  # fmt: skip
    (retreat,) = summary["retreats"]
    assert retreat["at"] == 20 + PATIENCE
    assert 0 < retreat["to"] <= 20
    assert retreat["rate"] == 0.5
    assert summary["skipped_steps"] == 0
    steps = steps_in(tmp_path)
    assert [step["step"] for step in steps] == list(range(summary["steps"]))
    assert max(step["rate"] for step in steps[retreat["to"] :]) <= 0.5 < steps[retreat["to"] - 1]["rate"]
    assert all(bool(torch.isfinite(value).all()) for value in learner.weights().values())
    assert any("retreat" in json.loads(line) for line in (tmp_path / "trajectory.jsonl").read_text().splitlines())


def test_a_run_that_is_stopped_where_it_went_back_goes_on_at_half_the_rate(
    student: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The retreat is on record before anybody hears of it, so that no stop gives the whole rate back."""
    poisoned(monkeypatch, lambda learner, factor: learner.done >= 20 and factor > 0.6)
    items, recipe = random_targets(60), quick_config(max_epochs=20).recipe

    def stop_when_lost(done: float, total: float, note: str) -> None:
        if note.startswith("lost"):
            raise Stopped("asked to")

    with step_clock() as clock:
        pace = clock.pace(seconds=60.0, checkpoint_seconds=1.0)
        with pytest.raises(Stopped):
            distil(tmp_path, student, items, recipe, pace, stop_when_lost)
        _, summary = distil(tmp_path, student, items, recipe, pace, stop_when_lost)
    (retreat,) = summary["retreats"]
    assert (summary["resumed"], retreat["rate"]) == (True, 0.5)
    assert max(step["rate"] for step in steps_in(tmp_path)[retreat["to"] :]) <= 0.5


def test_a_run_that_is_lost_for_good_fails_by_name(
    student: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    poisoned(monkeypatch, lambda learner, factor: learner.done >= 5)
    with pytest.raises(Diverged, match=r"lost 3 times, last at step 9 .*0\.25 of the rate: gradients are no numbers"):
        distil(tmp_path, student, random_targets(60), quick_config().recipe, Pace(seconds=20.0))
    lines = [json.loads(line) for line in (tmp_path / "trajectory.jsonl").read_text().splitlines()]
    assert [line["retreat"]["rate"] for line in lines if "retreat" in line] == [0.5, 0.25]
    assert MOST_RETREATS == 2


def test_a_rate_that_is_far_too_high_is_lost_by_its_loss(student: Path, tmp_path: Path) -> None:
    recipe = quick_config(max_epochs=12, learning_rate=300.0).recipe
    with pytest.raises(Diverged, match=r"0\.25 of the rate: a loss of"):
        distil(tmp_path, student, random_targets(30), recipe, Pace(seconds=60.0))


def test_a_fixed_number_of_steps_gives_the_same_weights_however_slow_the_machine_is(
    student: Path, tmp_path: Path
) -> None:
    recipe = quick_config(min_steps=12, max_steps=12, max_epochs=1).recipe
    found = []
    for name, seconds in (("fast", 0.0), ("slow", 40.0)):
        ticks = itertools.count()
        pace = Pace(seconds=30.0, clock=lambda ticks=ticks, seconds=seconds: next(ticks) * seconds)  # type: ignore[misc]
        (tmp_path / name).mkdir()
        found.append(distil(tmp_path / name, student, random_targets(60), recipe, pace)[1])
    assert abs(found[0]["steps"] - 12) <= 2
    assert found[0]["train_seconds"] < 1 < 100 < found[1]["train_seconds"]
    assert (found[0]["chain"], found[0]["weights"]) == (found[1]["chain"], found[1]["weights"])


def test_a_run_that_takes_its_least_steps_says_from_the_first_on_how_many_these_are(
    student: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("online_distill.train.distil.PROGRESS_SECONDS", 0.0)
    recipe = quick_config(min_steps=12, max_epochs=20).recipe
    told: list[tuple[float, float]] = []
    with step_clock() as clock:
        distil(
            tmp_path, student, random_targets(60), recipe, clock.pace(seconds=0.5),
            lambda done, total, note: told.append((done, total)) if note.startswith("loss") else None,
        )  # fmt: skip
    assert len(told) > 5
    assert min(total for _, total in told) >= 11  # a step may hold more tokens than it is reckoned to


def test_a_second_round_keeps_what_the_first_one_learned_and_without_replay_forgets_it(
    student: Path, tmp_path: Path
) -> None:
    earlier, later = random_targets(6, seed=1, weight=3.0), random_targets(6, seed=2, weight=3.0)
    recipe = quick_config(min_steps=40, max_steps=40, learning_rate=6e-3).recipe
    pace = Pace(seconds=60.0, clock=lambda: 0.0)

    def taught(name: str, parent: Path, items: list[Scored]) -> tuple[Path, float, float]:
        """(the student after a round, its nats a token of what came earlier, and of what came later)."""
        (tmp_path / name).mkdir()
        learner, _ = distil(tmp_path / name, parent, items, recipe, pace)
        export_weights(parent, learner.weights(), 0.8, tmp_path / name / "model")
        made = Learner(tmp_path / name / "model", recipe, 1.0)
        return tmp_path / name / "model", made.nats(earlier), made.nats(later)

    first, known, unknown = taught("first", student, earlier)
    before = Learner(student, recipe, 1.0).nats(earlier)
    replay = [replace(item, weight=1.0) for item in earlier]
    _, kept, learned = taught("with", first, [*later, *replay])
    _, forgotten, _ = taught("without", first, later)
    assert known < before / 2
    assert learned < unknown - 1.0
    assert kept < known
    assert forgotten > known + 0.1 * (before - known)
