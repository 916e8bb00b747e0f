"""`understudy bench rounds`: round after round without engines, and what each loses of what was known.

The four new kinds of the demo's shop (an intent in a language) come one after another, each gone from the traffic
once its round is over, then all together. Every round is the product's own: select, score, distil, export, evaluate,
and the gate, after which a candidate that passed is the next parent. Recipe `first` is that of the first loop, behind
the gate of the first loop. Judged on prompts whose templates and values are new.

A round takes `--steps` steps, so that no result depends on how fast the machine is; or it trains for `--minutes` of
processor time of one core, in which dearer recipes take fewer steps. The teacher scores as many texts as fit into its
share of a round of five minutes at `--text-seconds` each. Both are what a machine does that has nothing else to do, see
docs/benchmarks.md. Records are kept by recipe and seed: a run that was stopped goes on where it was,
given the same --state. With another --judge or --judge-new the students that lie there are judged anew, and not
made again.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.exam import Exam, bits, kept
from bench.gate import first
from bench.recipes import RECIPES, MinutesConfig
from bench.shop import NewKind, Shop, new_kinds
from deploy.life.config import GateConfig
from deploy.life.evaluation import Evaluation
from deploy.life.gate import decide
from deploy.registry.manifest import Kind as VersionKind
from deploy.registry.store import Registry
from deploy.rounds.record import Round
from deploy.rounds.store import FileRounds
from online_distill import models
from online_distill.data.encoding import Encoded, Encoder
from online_distill.role.config import TrainerConfig
from online_distill.role.context import Context
from online_distill.role.runner import run_round
from online_distill.teacher.local import LocalScorer
from online_distill.teacher.targets import TopK
from trials.system import ROOT
from understudy.config import load_config
from understudy.errors import UsageError
from understudy.files import read_json, write_json
from understudy.state import StateDir

GATE = GateConfig(general_rows=120, hard_rows=30, on_few="go")
"""The floors of `up`; a clause speaks with fewer rows, too."""
BUDGET = 300.0
"""Seconds of a round, of which scoring has its share."""
MOST_EPOCHS = 1e6
"""Where minutes end a round, no pass over the rows is one too many."""
MAKING = ("steps", "minutes", "text_seconds", "new", "general")
"""Options that make a student another one."""
SETTING = (*MAKING, "judge", "judge_new")
"""Options that make a record another one."""


class PacedScorer:
    """The teacher's weights, and a clock that counts as many seconds for a text as an engine takes."""

    def __init__(self, folder: Path, top_k: int, text_seconds: float) -> None:
        self._scorer, self._text_seconds = LocalScorer(folder, top_k=top_k), text_seconds
        self.now = 0.0

    def score(self, texts: Sequence[Encoded]) -> list[TopK]:
        self.now += len(texts) * self._text_seconds
        return self._scorer.score(texts)

    def close(self) -> None:
        """The weights serve the next round, too."""


class Series:
    """The rounds of one recipe and seed in a state directory, and their record."""

    def __init__(self, recipe: str, seed: int, options: argparse.Namespace, root: Path) -> None:
        self._config = config_of(recipe, seed, options)
        self._options, self._root, self._seed, self._recipe = options, root, seed, recipe
        state = StateDir(root / f"{recipe}-{seed}")
        self._registry, self._rounds = Registry(state), FileRounds(state)
        self.folder, self._shop_file = state.root, state.root / "shop.json"
        self._encoder = Encoder(options.student)
        self._teacher = models.load(options.teacher)
        self._scorer = PacedScorer(options.teacher, self._config.top_k, options.text_seconds)
        self._exam = Exam(self._encoder, self._teacher, options.judge, options.judge_new, root)
        if not self._registry.versions():
            self._register()

    def _register(self) -> None:
        given: tuple[tuple[Path, str, VersionKind], ...]
        given = ((self._options.teacher, "t1", "teacher"), (self._options.student, "v1", "student"))
        for folder, version, kind in given:
            self._registry.register(
                folder, kind=kind, parent=None, teacher=None, round=None, lineage={}, metrics={}, version=version
            )

    @property
    def made(self) -> int:
        """Rounds that lie in the state directory, whole."""
        return sum(one.finished for one in self._rounds.all())

    def start(self) -> dict[str, Any]:
        """The row of the first student, before any round."""
        return {"round": 0, "live": "v1", **self._marks("v1")}

    def round(self, number: int, live: str) -> dict[str, Any]:
        """Traffic and round `number`, from 1, of the student `live`; the row of what came of it."""
        shop = self._served(number, live)
        done = run_round(
            Context(
                round=self._rounds.current() or self._rounds.begin(live, "t1", "bench"),
                rounds=self._rounds, registry=self._registry, config=self._config, source=shop,
                make_scorer=lambda _: self._scorer, clock=lambda: self._scorer.now,
            )
        )  # fmt: skip
        passed, why = verdict(
            self._rounds.folder(done.id, "evaluate") / "evaluation.json", done.candidate, self._recipe
        )
        told = {"round": number, "passed": passed, "why": why, "did": did(done)}
        judged = done.candidate or live
        row = {**told, "live": judged if passed else live, **self._marks(judged)}
        if not done.finished:
            self._rounds.finish(done.id, "gate", {}, "rejected")
        return row

    def again(self, row: dict[str, Any]) -> dict[str, Any]:
        """A row whose student lies in the state directory, by the exam of today."""
        judged = self._rounds.get(row["round"]).candidate if row["round"] else None
        return {**row, **self._marks(judged or row["live"])}

    def _marks(self, version: str) -> dict[str, Any]:
        """What a version can do; of a refused one, too."""
        marks = self._exam.marks(models.load(self._registry.path(version)))
        figures = {name: found.figures() for name, found in marks.items()}
        return {"general": figures.pop("general"), "kinds": figures, "general_rows": bits(marks["general"].exact)}

    def _served(self, number: int, live: str) -> Shop:
        """The pool once the traffic before round `number` has come."""
        options = self._options
        shop = Shop(self._encoder, self._teacher, self._seed, self._shop_file)
        if shop.served < number:
            name = f"traffic-{self._seed}-{number}-{options.new}-{options.general}.json"
            shop.serve(
                models.load(self._registry.path(live)), live, asked_in(number), options.new, options.general,
                lambda make: kept(self._root / name, make),
            )  # fmt: skip
        return shop


def config_of(recipe: str, seed: int, options: argparse.Namespace) -> TrainerConfig:
    """The settings of a series: the trainer's, the recipe's, and so many steps or minutes of training a round."""
    given = load_config(options.config).section(TrainerConfig).model_dump()
    given |= {"budget_seconds": BUDGET, "seed": seed, **RECIPES[recipe]}
    if options.minutes:
        return MinutesConfig(**{**given, "minutes": options.minutes, "max_epochs": MOST_EPOCHS})
    return TrainerConfig(**{**given, "min_steps": options.steps, "max_steps": options.steps})


def asked_in(number: int) -> list[NewKind]:
    """New kinds in the traffic of round `number`, from 1: one after another, then all."""
    kinds = new_kinds()
    return [kinds[number - 1]] if number <= len(kinds) else kinds


def verdict(path: Path, candidate: str | None, recipe: str) -> tuple[bool, list[str]]:
    """What the gate says of the round's candidate; of the first loop's recipe that of the first loop."""
    if candidate is None or not path.is_file():
        return False, ["the round made no candidate"]
    found = Evaluation.model_validate(read_json(path))
    decision = decide(found, GATE)
    if recipe == "first":
        return first(found), [f"today: {reason}" for reason in decision.reasons]
    return decision.passed, [str(reason) for reason in decision.reasons]


def did(done: Round) -> dict[str, Any]:
    """What of a round's summaries its row keeps."""
    wanted = {
        "select": ("train_hard", "train_anchor", "train_known", "development", "holdout_hard", "holdout_anchor"),
        "score": ("texts", "known", "no_time"),
        "distil": ("steps", "train_seconds", "token_seconds", "loss_parent", "loss_last"),
        "export": ("blend", "blend_why", "blends"),
    }
    stages = {name: done.stages[name].summary for name in wanted if name in done.stages}
    return {key: found[key] for name, found in stages.items() for key in wanted[name] if key in found}


def measure(recipe: str, seed: int, options: argparse.Namespace, root: Path, book: Path | None) -> dict[str, Any]:
    """Take the record of a recipe and seed to `options.rounds` rounds, written to `book` after each."""
    setting = {key: getattr(options, key) for key in SETTING}
    begun = {"recipe": recipe, "seed": seed, **setting, "settings": RECIPES[recipe], "rows": []}
    record = next((found for found in records(book) if _same(found, begun)), begun)
    rows: list[dict[str, Any]] = record["rows"]
    if len(rows) > options.rounds:
        return record
    series = Series(recipe, seed, options, root)
    judged: list[dict[str, Any]] = next((found["rows"] for found in records(book) if _same(found, begun, MAKING)), [])
    known = max(1, len(judged), len(rows)) - 1
    if series.made > known:
        raise UsageError(
            f"{series.folder} holds {series.made} rounds of which --json knows {known}: give the file that was written "
            "with them, or another --state"
        )
    for row in judged[len(rows) : series.made + 1]:
        rows.append(series.again(row))
        keep(record, options, book)
    while len(rows) <= options.rounds:
        rows.append(series.round(len(rows), rows[-1]["live"]) if rows else series.start())
        keep(record, options, book)
    return record


def keep(record: dict[str, Any], options: argparse.Namespace, book: Path | None) -> None:
    """Tell of the latest row, and write the record among the others."""
    report(record, options)
    if book:
        others = [found for found in records(book) if not _same(found, record)]
        write_json(book, {"schema_version": 2, "records": [*others, record]})


def records(book: Path | None) -> list[dict[str, Any]]:
    """Those of a file; none where it is absent, or of another release."""
    found = read_json(book) if book and book.is_file() else {}
    return list(found["records"]) if found.get("schema_version") == 2 else []


def _same(one: dict[str, Any], other: dict[str, Any], options: Sequence[str] = SETTING) -> bool:
    return all(one.get(key) == other.get(key) for key in ("recipe", "seed", "settings", *options))


def report(record: dict[str, Any], options: argparse.Namespace) -> None:
    """One line as soon as a row is known."""
    row = record["rows"][-1]
    kinds = "  ".join(f"{name} {mark['exact']:.2f}" for name, mark in row["kinds"].items())
    general = row["general"]
    Console(stderr=True).print(
        f"{record['recipe']} seed {record['seed']} round {row['round']} of {options.rounds}: general exact "
        f"{general['exact']:.3f}, facts {general['facts']:.3f}; {kinds} {'' if row.get('passed', True) else 'refused'}",
        highlight=False,
    )


def show(found: Sequence[dict[str, Any]]) -> None:
    """The table."""
    table = Table(title="exact replies after each round")
    names = ["/".join(kind) for kind in new_kinds()]
    for column in ("recipe", "seed", "round", "gate", "general", "facts", *names):
        table.add_column(column, justify="left" if column == "recipe" else "right")
    for record in found:
        for row in record["rows"]:
            gate = {True: "passed", False: "refused"}.get(row.get("passed"), "")
            table.add_row(
                record["recipe"], str(record["seed"]), str(row["round"]), gate, f"{row['general']['exact']:.3f}",
                f"{row['general']['facts']:.3f}", *(f"{row['kinds'][name]['exact']:.3f}" for name in names),
            )  # fmt: skip
    Console().print(table)


def parsed(argv: list[str]) -> argparse.Namespace:
    """Options of the command."""
    parser = argparse.ArgumentParser(
        prog="understudy bench rounds",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="example: understudy bench rounds --rounds 5 --seeds 0,1,2 --state /var/tmp/rounds --json rounds.json",
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seeds", default="0", help="separated by commas (%(default)s)")
    parser.add_argument("--recipes", default="default,first", help=f"of {', '.join(RECIPES)} (%(default)s)")
    parser.add_argument("--steps", type=int, default=400, help="of a round (%(default)s)")
    parser.add_argument("--minutes", type=float, help="of processor time in which a round trains, instead of --steps")
    parser.add_argument("--text-seconds", type=float, default=0.19, help="of the teacher for a text (%(default)s)")
    parser.add_argument("--teacher", type=Path, default=ROOT / "demo" / "models" / "teacher")
    parser.add_argument("--student", type=Path, default=ROOT / "demo" / "registry" / "students" / "v2")
    parser.add_argument("--new", type=int, default=260, help="prompts of new kinds in the traffic of a round")
    parser.add_argument("--general", type=int, default=900, help="other prompts in it")
    parser.add_argument("--judge", type=int, default=1000, help="general prompts that are judged")
    parser.add_argument("--judge-new", type=int, default=150, help="prompts of each new kind that are judged")
    parser.add_argument("--config", type=Path, help="configuration file; UNDERSTUDY_TRAINER__... works as well")
    parser.add_argument("--state", type=Path, help="folder to keep, so that a stopped run goes on (default: none)")
    parser.add_argument("--quick", action="store_true", help="two rounds of 60 steps on little traffic")
    parser.add_argument("--json", type=Path, help="the records: those that are there are kept and gone on with")
    options = parser.parse_args(argv)
    if wrong := [name for name in options.recipes.split(",") if name not in RECIPES]:
        parser.error(f"--recipes: {', '.join(wrong)}; allowed: {', '.join(RECIPES)}")
    if not all(part.isdecimal() for part in options.seeds.split(",")):
        parser.error("--seeds: give numbers separated by commas, such as 0,1,2")
    if options.quick:
        options.rounds, options.steps, options.recipes = 2, 60, "default"
        options.new, options.general, options.judge, options.judge_new = 80, 120, 100, 30
    if options.minutes:
        options.steps = None
    return options


def main(argv: list[str]) -> int:
    """Entry point."""
    options = parsed(argv)
    models.prepare(load_config(options.config).section(TrainerConfig).threads)
    with tempfile.TemporaryDirectory(prefix="understudy-rounds-") as temporary:
        root = options.state or Path(temporary)
        root.mkdir(parents=True, exist_ok=True)
        found = [
            measure(recipe, int(seed), options, root, options.json)
            for seed in options.seeds.split(",")
            for recipe in options.recipes.split(",")
        ]
    show(found)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
