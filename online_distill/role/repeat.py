"""`understudy rounds repeat N`: a finished round trained again from its folder, compared bit by bit.

Needs the round's folder (targets, plan, trajectory) and its parent, no system that runs and no clock.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from deploy.registry.store import Registry
from deploy.rounds.record import Round
from deploy.rounds.store import FileRounds, RoundStore
from feedback.privacy.vault import FOLDER, Vault
from online_distill import models
from online_distill.data.encoding import Encoder
from online_distill.data.rows import read_rows
from online_distill.evaluate.blending import development_texts
from online_distill.libraries import libraries
from online_distill.progress import Progress
from online_distill.role.stages.export import blended, export_weights
from online_distill.role.stages.select import DEVELOPMENT
from online_distill.teacher.targets import Scored, load_all
from online_distill.train.checkpoint import weights_digest
from online_distill.train.learner import Learner, Taken
from online_distill.train.plan import data_digest, read_plan, recipe_of
from online_distill.train.recipe import Recipe
from online_distill.train.repeat import first_difference, repeat
from online_distill.train.trajectory import TRAJECTORY, read_trajectory
from understudy.errors import Conflict, NotFound
from understudy.files import sha256_file
from understudy.process.priority import yield_cpu
from understudy.state import DEFAULT_STATE, StateDir

NICE = 10


def main(argv: list[str]) -> int:
    """Entry point: 0 the same bits, 1 others."""
    made = argparse.ArgumentParser(
        prog="understudy rounds repeat",
        description="Train a finished round again from its folder and compare the weights, bit by bit.",
        epilog="example: understudy rounds repeat 1 --state .understudy",
    )
    made.add_argument("round", type=int, help="its number")
    made.add_argument("--state", type=Path, default=DEFAULT_STATE, help="state directory (default: .understudy)")
    made.add_argument("--json", action="store_true", help="JSON instead of text")
    options = made.parse_args(argv)
    yield_cpu(NICE)
    console = Console(stderr=True, highlight=False)
    columns = (TextColumn("repeat"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Bar(*columns, console=console, disable=options.json) as bar:
        task = bar.add_task("repeat", total=None)
        found = repeat_round(
            StateDir(options.state), options.round, lambda done, total, _: bar.update(task, completed=done, total=total)
        )
    print(json.dumps(found, ensure_ascii=False) if options.json else as_text(found))
    return 0 if found["equal"] else 1


@dataclass(frozen=True, slots=True)
class RecordedRound:
    """What a round's folder says of its training."""

    round: Round
    select: Path
    score: Path
    distil: Path
    recipe: Recipe
    steps: list[Taken]

    @property
    def summary(self) -> dict[str, Any]:
        """Of the distil stage."""
        return self.round.stages["distil"].summary

    @property
    def exported(self) -> dict[str, Any]:
        """What the export stage said; empty where the round did not come so far."""
        done = self.round.stages.get("export")
        return done.summary if done is not None and done.event == "done" else {}

    @property
    def blend(self) -> float:
        """Share of the trained weights in its candidate."""
        return float(self.exported.get("blend", self.recipe.blend))


def repeat_round(state: StateDir, number: int, progress: Progress) -> dict[str, Any]:
    """Train round `number` again; what was compared, as JSON.

    Raises:
        NotFound: there is no such round, or it was not trained.
        Conflict: the release that trained it did not write down what a repetition needs.
        IntegrityError: the parent's files are not those of its manifest.
    """
    began, registry = time.monotonic(), Registry(state)
    told, vault = read_round(FileRounds(state), number), Vault(state.spool / FOLDER)
    registry.verify(told.round.parent)
    models.prepare(told.recipe.threads)
    differs = _differences(told.summary.get("libraries", {}), libraries(models.pick_device(told.recipe.device)))
    found: dict[str, Any] = {"round": number, "equal": False, "steps": len(told.steps), "libraries": differs}
    items = load_all(told.score, vault)
    changed = changed_inputs(told, items)
    if changed:
        return {**found, "why": "; ".join(changed), "seconds": round(time.monotonic() - began, 3)}
    parent = registry.path(told.round.parent)
    learner = repeat(parent, items, told.recipe, told.steps, progress)
    ours: dict[str, Any] = {"weights": weights_digest(learner.weights())}
    theirs: dict[str, Any] = {"weights": told.summary["weights"]}
    if told.exported:
        with tempfile.TemporaryDirectory() as folder:
            export_weights(parent, learner.weights(), told.blend, Path(folder))
            ours["model"] = sha256_file(Path(folder) / "model.safetensors")
        theirs["model"] = told.exported["sha256"]
    step = first_difference(learner.trajectory, told.steps)
    why = "" if ours == theirs else "the weights are others" + ("" if step is None else f", from step {step} on")
    if (again := _blends_again(told, parent, learner, vault)) is not None:
        ours["blends"], theirs["blends"] = again, told.exported["blends"]
        why = why or ("" if ours == theirs else "the development rows say something else of the blends")
    seconds = round(time.monotonic() - began, 3)
    return {**found, "equal": ours == theirs, "why": why, "recorded": theirs, "repeated": ours, "seconds": seconds}


def _blends_again(told: RecordedRound, parent: Path, learner: Learner, vault: Vault) -> list[dict[str, Any]] | None:
    """What the blends say to the development rows; None where they were not asked, or rows are gone since."""
    path = told.select / DEVELOPMENT
    if "blends" not in told.exported or not path.is_file():
        return None
    rows = told.exported["blend_rows"]
    texts = development_texts(read_rows(path, vault), Encoder(parent), rows["max_length"])
    if len(texts) != rows["of"]:
        return None
    judged = texts[: rows["general"] + rows["new"]]
    found: list[dict[str, Any]] = blended(parent, learner.weights(), told.recipe, judged)["blends"]
    return found


def read_round(rounds: RoundStore, number: int) -> RecordedRound:
    """What the folder of round `number` says of its training; raises as `repeat_round`."""
    this = rounds.get(number)
    trained = this.stages.get("distil")
    if trained is None or trained.event != "done":
        raise NotFound(f"round {number} has not been trained to its end, so there is nothing to repeat: {this.state}")
    if "weights" not in trained.summary:
        raise Conflict(f"round {number} was trained by a release that did not write down how; begin a new one")
    distil = rounds.folder(number, "distil")
    steps, _ = read_trajectory(distil / TRAJECTORY)
    recipe = recipe_of(read_plan(distil))
    return RecordedRound(this, rounds.folder(number, "select"), rounds.folder(number, "score"), distil, recipe, steps)


def changed_inputs(told: RecordedRound, items: Sequence[Scored]) -> list[str]:
    """What of the folder, and of the targets in it, is no longer what the round was trained by, each with a name."""
    found, plan = [], read_plan(told.distil)
    if data_digest(items) != told.summary["data"]:
        found.append("the targets are others than those that the round was trained on")
    if plan.digest() != told.summary["plan"]:
        found.append("the plan is another than the one that the round was trained by")
    if (
        read_trajectory(told.distil / TRAJECTORY)[1] != told.summary["chain"]
        or len(told.steps) != told.summary["steps"]
    ):
        found.append("the trajectory is another than the one that the round took")
    return found


def _differences(recorded: dict[str, str], now: dict[str, str]) -> dict[str, list[str | None]]:
    names = sorted({*recorded, *now})
    return {name: [recorded.get(name), now.get(name)] for name in names if recorded.get(name) != now.get(name)}


def as_text(found: dict[str, Any]) -> str:
    """The result for a terminal."""
    others = [f"{name} {now} (then {then})" for name, (then, now) in found["libraries"].items()]
    lines = [f"other libraries than then, so that bits may differ: {', '.join(others)}"] if others else []
    if found["equal"]:
        digest = found["recorded"]["weights"][:16]
        return "\n".join([*lines, f"round {found['round']}: {found['steps']} steps, the same weights ({digest})"])
    return "\n".join([*lines, f"round {found['round']}: not the same: {found['why']}"])
