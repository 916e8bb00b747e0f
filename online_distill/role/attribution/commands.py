"""`understudy rounds attribute N`: what each kind of data or channel of the loss did for a round's student."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar

from online_distill import models
from online_distill.progress import Progress
from online_distill.role.attribution.replay import ReplayedRound, open_round, replay, same_weights
from online_distill.role.attribution.values import attributed
from online_distill.role.config import TrainerConfig
from understudy.config import load_config
from understudy.process.priority import yield_cpu
from understudy.state import DEFAULT_STATE, StateDir

NICE = 10


def main(argv: list[str]) -> int:
    """Entry point; 0 when every coalition is judged.

    Raises:
        UsageError, NotFound, Conflict, IntegrityError: see `open_round` and `Ingredients.chosen`.
    """
    made = argparse.ArgumentParser(
        prog="understudy rounds attribute",
        description="Train a finished round again without each combination of up to three kinds of its data or "
        "channels of its loss, judge all on its held-out rows, and attribute what they changed (Shapley values). What "
        "is judged is kept, so that a run that is stopped goes on.",
        epilog="example: understudy rounds attribute 1 --players hard,replay,hold --state .understudy",
    )
    made.add_argument("round", type=int, help="its number")
    made.add_argument("--players", help="up to three, by comma: hard, replay, a kind of hard rows, hold, pull, parent")
    made.add_argument("--config", type=Path, help="configuration file, for `trainer.max_length`")
    made.add_argument("--state", type=Path, default=DEFAULT_STATE, help="state directory (default: .understudy)")
    made.add_argument("--json", action="store_true", help="JSON instead of text")
    options = made.parse_args(argv)
    settings = load_config(options.config).section(TrainerConfig)
    yield_cpu(NICE)
    this = open_round(StateDir(options.state), options.round)
    wanted = None if options.players is None else [name.strip() for name in options.players.split(",")]
    players = this.ingredients.chosen(wanted)
    models.prepare(this.told.recipe.threads)
    found = _told(this, players, settings.max_length, quiet=options.json)
    print(json.dumps(found, ensure_ascii=False, allow_nan=False) if options.json else "\n".join(as_text(found)))
    return 0


def _told(this: ReplayedRound, players: tuple[str, ...], max_length: int, quiet: bool) -> dict[str, Any]:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:.0f} %"),
        TimeElapsedColumn(),
    )
    with Bar(*columns, console=Console(stderr=True, highlight=False), disable=quiet) as bar:
        task = bar.add_task("rounds", total=1.0)

        def progress(done: int, every: int, name: str) -> Progress:
            bar.update(task, completed=done / every, description=f"{done} of {every} rounds, {name}")
            return lambda step, steps, _: bar.update(task, completed=(done + step / max(1.0, steps)) / every)

        rows = replay(this, players, max_length, progress)
    return {
        "round": this.told.round.id, "parent": this.told.round.parent, "players": list(players),
        "coalitions": {",".join(one.members): {"seconds": one.seconds, "weights": one.weights}
                       for one in rows.values()},
        "same_weights": same_weights(this, rows, players), "figures": attributed(players, rows),
    }  # fmt: skip


def as_text(found: dict[str, Any]) -> Iterator[str]:
    """The result for a terminal, in points."""
    yield f"round {found['round']}: what {', '.join(found['players'])} changed together on held-out rows, and each"
    if not found["same_weights"]:
        yield "trained again in full it did not give the weights that it gave then; `understudy rounds repeat` says why"
    for name, figure in found["figures"].items():
        yield f"{name:<18} {_points(figure['change'])}, {figure['n']} rows" + (
            "" if figure["attributed"] else f": {figure['why']}"
        )
        for player, part in figure["shapley"].items():
            yield f"  {player:<16} {_points(part)}"


def _points(part: dict[str, float]) -> str:
    value, low, high = (100 * part[key] for key in ("value", "lower", "upper"))
    return f"{value:+.2f} points ({low:+.2f} to {high:+.2f})"
