"""A finished round trained again for each coalition of players, judged on its held-out rows, and kept as it is judged.

Needs what `understudy rounds repeat` needs, and the keys that open the held-out rows. A run that was stopped goes on
with the coalition that it was at.
"""

from __future__ import annotations

import hashlib
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ab.shapley import Coalition
from deploy.registry.store import Registry
from deploy.rounds.store import FileRounds
from feedback.privacy.vault import FOLDER, Vault
from online_distill import models
from online_distill.data.rows import Row, read_rows
from online_distill.evaluate.judging import judge
from online_distill.progress import Progress
from online_distill.role.attribution.players import Ingredients
from online_distill.role.attribution.values import CoalitionRows
from online_distill.role.repeat import RecordedRound, changed_inputs, read_round
from online_distill.role.stages.export import export_weights
from online_distill.teacher.targets import load_all
from online_distill.train.checkpoint import weights_digest
from online_distill.train.repeat import repeat
from understudy.errors import Conflict
from understudy.files import read_json, write_json
from understudy.state import StateDir

KEPT = "attribute"
"""Folder of a round in which judged coalitions lie, in one of their players' names."""


@dataclass(frozen=True, slots=True)
class ReplayedRound:
    """A round, its ingredients and its held-out rows; `inputs` names all of them."""

    told: RecordedRound
    ingredients: Ingredients
    holdout: Sequence[Row]
    parent: Path
    vault: Vault
    folder: Path
    inputs: str


def open_round(state: StateDir, number: int) -> ReplayedRound:
    """What round `number` was trained from and judged on.

    Raises:
        NotFound, Conflict, IntegrityError: as for `understudy rounds repeat`; Conflict also where its targets, plan or
            held-out rows are gone or others.
    """
    rounds, registry, vault = FileRounds(state), Registry(state), Vault(state.spool / FOLDER)
    told = read_round(rounds, number)
    registry.verify(told.round.parent)
    items = load_all(told.score, vault)
    if changed := changed_inputs(told, items):
        raise Conflict(f"round {number} cannot be trained again: {'; '.join(changed)}")
    train, holdout = (rounds.file(number, "select", f"{name}.jsonl") for name in ("train", "holdout"))
    if not holdout.is_file() or not train.is_file():
        raise Conflict(f"the rows of round {number} were removed, so nothing can be judged; take a later round")
    kinds = {row.id: row.kind for row in read_rows(train, vault) if row.role == "hard"}
    rows = read_rows(holdout, vault)
    if not rows:
        raise Conflict(f"round {number} has no held-out rows that can be opened, so nothing can be judged")
    names = "\n".join(sorted(row.id for row in rows))
    inputs = hashlib.sha256(f"{told.summary['plan']}|{told.summary['data']}|{names}".encode()).hexdigest()
    ingredients = Ingredients(items, told.recipe, kinds)
    folder = rounds.file(number, KEPT, "rows").parent
    return ReplayedRound(told, ingredients, rows, registry.path(told.round.parent), vault, folder, inputs)


def replay(
    this: ReplayedRound, players: Sequence[str], max_length: int, progress: Callable[[int, int, str], Progress]
) -> dict[Coalition, CoalitionRows]:
    """Every coalition's judged rows, trained where they are not kept yet.

    `progress` is given how many are done, of how many, and which comes next; it makes what steps report to.
    """
    found: dict[Coalition, CoalitionRows] = {}
    every = [some for size in range(len(players) + 1) for some in combinations(players, size)]
    for done, members in enumerate(every):
        report = progress(done, len(every), "+".join(members) or "none")
        path = this.folder / "+".join(players) / f"{'+'.join(members) or 'none'}.json"
        one = _kept(path, this.inputs)
        if one is None:
            one = _judged(this, members, [name for name in players if name not in members], max_length, report)
            path.parent.mkdir(parents=True, exist_ok=True)
            write_json(path, one.model_dump(mode="json"))
        found[frozenset(members)] = one
    progress(len(every), len(every), "done")
    return found


def same_weights(this: ReplayedRound, found: dict[Coalition, CoalitionRows], players: Sequence[str]) -> bool:
    """Whether the round with all players gave the weights that it gave then, to the bit."""
    return found[frozenset(players)].weights == str(this.told.summary["weights"])


def _kept(path: Path, inputs: str) -> CoalitionRows | None:
    try:
        one = CoalitionRows.model_validate(read_json(path))
    except (OSError, ValueError, ValidationError):
        return None
    return one if one.inputs == inputs else None


def _judged(
    this: ReplayedRound, members: Sequence[str], out: Sequence[str], max_length: int, progress: Progress
) -> CoalitionRows:
    began = time.monotonic()
    items, recipe = this.ingredients.without(out)
    given: dict[str, Any] = {
        "max_length": max_length, "device": models.pick_device(recipe.device), "vault": this.vault
    }  # fmt: skip
    if not items:  # nothing to learn from: the parent stays as it is
        evaluation, _ = judge(this.holdout, this.parent, this.parent, **given)
        digest = ""
    else:
        learner = repeat(this.parent, items, recipe, this.told.steps, progress)
        digest = weights_digest(learner.weights())
        with tempfile.TemporaryDirectory() as folder:
            export_weights(this.parent, learner.weights(), this.told.blend, Path(folder))
            evaluation, _ = judge(this.holdout, this.parent, Path(folder), **given)
    return CoalitionRows(
        members=tuple(members), inputs=this.inputs, weights=digest, seconds=round(time.monotonic() - began, 3),
        rows=CoalitionRows.rows_of(evaluation.rows),
    )  # fmt: skip
