"""`understudy bench rounds`: round after round without engines, and what each loses of what was known.

The four new kinds of the demo's shop (an intent in a language) come one after another, each gone from the traffic
once its round is over, then all together. Every round is the product's own: select, score, distil, export, evaluate,
and the gate, after which a candidate that passed is the next parent. Judged on prompts whose templates and values are
new. `first` is the recipe of the first loop, under the selection of today.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.distil_round import replies
from bench.shop import NewKind, Shop, new_kinds, of_kind
from demo.world import Sample, satisfied, stream
from deploy.life.config import GateConfig
from deploy.life.evaluation import Evaluation
from deploy.life.gate import decide
from deploy.registry.manifest import Kind as VersionKind
from deploy.registry.store import Registry
from deploy.rounds.store import FileRounds
from online_distill import models
from online_distill.data.encoding import Encoded, Encoder
from online_distill.evaluate.agreement import REPLY_TOKENS, agreement
from online_distill.role.config import TrainerConfig
from online_distill.role.context import Context
from online_distill.role.runner import run_round
from online_distill.teacher.local import LocalScorer
from trials.system import ROOT
from understudy.config import load_config
from understudy.files import read_json, write_json
from understudy.state import StateDir

RECIPES: dict[str, dict[str, Any]] = {
    "default": {},
    "first": {"learning_rate": 2e-3, "blend": 0.7, "replay_share": 0.0, "max_replay": 277},
}
JUDGE_SEED = 900
GATE = GateConfig(general_rows=120, hard_rows=30, on_few="go")
"""The floors of `up`; a clause speaks with fewer rows, too."""


class Exam:
    """Prompts of the split `eval` with the teacher's greedy replies: general ones, and those of each new kind."""

    def __init__(self, encoder: Encoder, teacher: Any, general: int, each: int) -> None:
        self._encoder = encoder
        self._parts: dict[str, list[Sample]] = {"general": stream(JUDGE_SEED, "eval", "general", general)}
        for kind in new_kinds():
            self._parts["/".join(kind)] = of_kind(JUDGE_SEED + 1, "eval", kind, each)
        self._texts = {name: self._encoded(part, teacher) for name, part in self._parts.items()}

    def _encoded(self, samples: Sequence[Sample], teacher: Any) -> list[Encoded]:
        truth = replies(teacher, self._encoder, samples)
        texts = [
            self._encoder.encode(list(s.messages), reply, max_length=512, max_reply=REPLY_TOKENS)
            for s, reply in zip(samples, truth, strict=True)
        ]
        return [text for text in texts if text is not None]

    def mark(self, student: Any) -> dict[str, dict[str, float]]:
        """Agreement, share of exact replies and of replies that state their facts, by part."""
        found = {}
        for name, samples in self._parts.items():
            shares = agreement(student, self._texts[name])
            said = replies(student, self._encoder, samples)
            found[name] = {
                "agreement": round(fmean(shares), 4),
                "exact": round(fmean(share == 1.0 for share in shares), 4),
                "facts": round(fmean(satisfied(s, r) for s, r in zip(samples, said, strict=True)), 4),
                "n": len(samples),
            }
        return found


class SeedRows:
    """Rows of the result for one seed and recipe, with the best that each kind has reached."""

    def __init__(self, seed: int, recipe: str) -> None:
        self._head = {"seed": seed, "recipe": recipe}
        self._best: dict[str, float] = {}

    def of(self, number: int, marks: dict[str, dict[str, float]], **more: Any) -> dict[str, Any]:
        """The row of round `number`; 0 is the start."""
        kinds = {}
        for name, mark in marks.items():
            if name != "general":
                self._best[name] = max(self._best.get(name, 0.0), mark["exact"])
                kinds[name] = {**mark, "best": self._best[name]}
        return {**self._head, "round": number, "general": marks["general"], "kinds": kinds, **more}


def run(seed: int, recipe: str, options: argparse.Namespace, root: Path) -> list[dict[str, Any]]:
    """All rounds of one seed and recipe in the state directory `root`."""
    config = load_config(options.config).section(TrainerConfig)
    config = config.model_copy(update={"budget_seconds": options.minutes * 60, "seed": seed, **RECIPES[recipe]})
    state, encoder = StateDir(root), Encoder(options.student)
    registry, rounds = Registry(state), FileRounds(state)
    given: tuple[tuple[Path, str, VersionKind], ...]
    given = ((options.teacher, "t1", "teacher"), (options.student, "v1", "student"))
    for folder, version, kind in given:
        registry.register(
            folder, kind=kind, parent=None, teacher=None, round=None, lineage={}, metrics={}, version=version
        )
    teacher = models.load(options.teacher)
    exam, shop, live = Exam(encoder, teacher, options.judge, options.judge_new), Shop(encoder, teacher, seed), "v1"
    row = SeedRows(seed, recipe)
    rows = [row.of(0, exam.mark(models.load(registry.path(live))))]
    report(rows[-1], options)
    for number in range(1, options.rounds + 1):
        shop.serve(models.load(registry.path(live)), live, asked_in(number), options.new, options.general)
        done = run_round(
            Context(
                round=rounds.begin(live, "t1", "bench"),
                rounds=rounds,
                registry=registry,
                config=config,
                source=shop,
                make_scorer=lambda this: LocalScorer(registry.path(this.teacher), top_k=config.top_k),
            )
        )
        passed, why = verdict(rounds.folder(done.id, "evaluate") / "evaluation.json", done.candidate)
        marks = exam.mark(models.load(registry.path(done.candidate))) if done.candidate else None
        if passed and done.candidate:
            live = done.candidate
        rows.append(row.of(number, marks or exam.mark(models.load(registry.path(live))), passed=passed, why=why))
        rows[-1]["stages"] = {
            name: stage.summary for name, stage in done.stages.items() if name in ("select", "distil")
        }
        report(rows[-1], options)
        rounds.finish(done.id, "gate", {}, "rejected")
    return rows


def asked_in(number: int) -> list[NewKind]:
    """New kinds in the traffic of round `number`, from 1: one after another, then all."""
    kinds = new_kinds()
    return [kinds[number - 1]] if number <= len(kinds) else kinds


def verdict(path: Path, candidate: str | None) -> tuple[bool, list[str]]:
    """What the gate says of the round's candidate."""
    if candidate is None or not path.is_file():
        return False, ["the round made no candidate"]
    decision = decide(Evaluation.model_validate(read_json(path)), GATE)
    return decision.passed, [str(reason) for reason in decision.reasons]


def report(row: dict[str, Any], options: argparse.Namespace) -> None:
    """One line as soon as it is known."""
    kinds = "  ".join(f"{name} {mark['exact']:.2f}" for name, mark in row["kinds"].items())
    general = row["general"]
    Console(stderr=True).print(
        f"{row['recipe']} seed {row['seed']} round {row['round']} of {options.rounds}: general exact "
        f"{general['exact']:.3f}, facts {general['facts']:.3f}; {kinds} {'' if row.get('passed', True) else 'refused'}",
        highlight=False,
    )


def show(rows: Sequence[dict[str, Any]]) -> None:
    """The table."""
    table = Table(title="exact replies after each round")
    names = list(rows[0]["kinds"])
    for column in ("recipe", "seed", "round", "gate", "general", "facts", *names):
        table.add_column(column, justify="left" if column == "recipe" else "right")
    for row in rows:
        gate = {True: "passed", False: "refused"}.get(row.get("passed"), "")  # type: ignore[arg-type]
        table.add_row(
            row["recipe"], str(row["seed"]), str(row["round"]), gate, f"{row['general']['exact']:.3f}",
            f"{row['general']['facts']:.3f}", *(f"{row['kinds'][name]['exact']:.3f}" for name in names),
        )  # fmt: skip
    Console().print(table)


def parsed(argv: list[str]) -> argparse.Namespace:
    """Options of the command."""
    parser = argparse.ArgumentParser(
        prog="understudy bench rounds",
        description=__doc__,
        epilog="example: understudy bench rounds --rounds 5 --seeds 3",
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seeds", type=int, default=1, help="how many, from 0 on")
    parser.add_argument("--recipes", default="default,first", help=f"of {', '.join(RECIPES)} (%(default)s)")
    parser.add_argument("--minutes", type=float, default=5.0, help="of one round (%(default)s)")
    parser.add_argument("--teacher", type=Path, default=ROOT / "demo" / "models" / "teacher")
    parser.add_argument("--student", type=Path, default=ROOT / "demo" / "registry" / "students" / "v2")
    parser.add_argument("--new", type=int, default=260, help="prompts of new kinds in the traffic of a round")
    parser.add_argument("--general", type=int, default=900, help="other prompts in it")
    parser.add_argument("--judge", type=int, default=1000, help="general prompts that are judged")
    parser.add_argument("--judge-new", type=int, default=150, help="prompts of each new kind that are judged")
    parser.add_argument("--config", type=Path, help="configuration file; UNDERSTUDY_TRAINER__... works as well")
    parser.add_argument("--quick", action="store_true", help="two rounds of a fifth of a minute on little traffic")
    parser.add_argument("--json", type=Path, help="write the rows here, after each seed")
    options = parser.parse_args(argv)
    if wrong := [name for name in options.recipes.split(",") if name not in RECIPES]:
        parser.error(f"--recipes: {', '.join(wrong)}; allowed: {', '.join(RECIPES)}")
    if options.quick:
        options.rounds, options.minutes, options.recipes = 2, 0.2, "default"
        options.new, options.general, options.judge, options.judge_new = 80, 120, 100, 30
    return options


def main(argv: list[str]) -> int:
    """Entry point."""
    options = parsed(argv)
    models.prepare(load_config(options.config).section(TrainerConfig).threads)
    rows: list[dict[str, Any]] = []
    for seed in range(options.seeds):
        for recipe in options.recipes.split(","):
            with tempfile.TemporaryDirectory(prefix="understudy-rounds-") as root:
                rows += run(seed, recipe, options, Path(root))
            if options.json:
                write_json(options.json, {"schema_version": 1, "minutes": options.minutes, "rows": rows})
    show(json.loads(json.dumps(rows)))
    return 0
