"""`understudy bench gate`: how often the gate lets candidates pass that lost so much, simulated on the deployed rule.

Each run draws an evaluation: of the general rows a share `loss` breaks and a share `gain` is mended, by chance and
independently; a reply that breaks loses 3 to 6 % of its tokens and a fact (on the demo's traffic it was the computed
facts that broke, and 4.3 % of the tokens). On new traffic every candidate is better. Beside the gate stands the rule
of the first loop, which is kept here alone.
"""

from __future__ import annotations

import itertools
import random
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

from rich.console import Console
from rich.table import Table

from ab.matched import pairs_needed
from ab.paired import Bound, lower_bound
from bench.simulating import simulate
from deploy.life.config import GateConfig
from deploy.life.evaluation import Evaluation, JudgedReply, JudgedRow
from deploy.life.gate import decide

CHANCE = 0.005
"""Share of replies that change each way without any reason."""
KINDS = 17
NEW_KINDS = 8
LOSSES = (0.0, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2)
CHURNS = (0.01, 0.02, 0.03, 0.04, 0.05)
SIZES = (50, 100, 120, 200, 400, 1000)
FIRST_MARGIN, FIRST_ALPHA, FIRST_LEAST = 0.03, 0.05, 10
"""Of the rule of the first loop: by how much a one-sided bound on mean agreement may fall, its level, fewest rows."""
CONFIG = GateConfig(on_few="go")
RULES: dict[str, Callable[[Evaluation], bool]] = {
    "default": lambda found: decide(found, CONFIG).passed,
    "first": lambda found: first(found),
    "no kinds": lambda found: decide(found, CONFIG.model_copy(update={"kind_rows": 1 << 30})).passed,
    "no known": lambda found: decide(found, CONFIG.model_copy(update={"known_share": 0.0})).passed,
}
RIGHT = JudgedReply(agreement=1.0, exact=True, facts=True)


@dataclass(frozen=True, slots=True)
class Scenario:
    """What a candidate does to `n` general rows; `focus` is a kind of so many rows in which it loses `focus_loss`."""

    name: str
    n: int
    net: float
    chance: float = CHANCE
    focus: int = 0
    focus_loss: float = 0.0
    new: int = 0
    """Rows beside the `n`, in new kinds: the parent fails nine in ten of them, the candidate half."""

    @property
    def loss(self) -> float:
        """Share of all rows that break."""
        return self.net + self.chance

    def kinds(self) -> list[tuple[str, int, float]]:
        """Name, rows and share that breaks of each kind."""
        others = KINDS - 1 if self.focus else KINDS
        spread = [(f"kind {i}", len(range(i, self.n - self.focus, others))) for i in range(others)]
        even = [(name, rows, self.chance if self.focus else self.loss) for name, rows in spread if rows]
        return [*even, ("focus", self.focus, self.focus_loss + self.chance)] if self.focus else even


CASES: tuple[Scenario, ...] = (
    *(Scenario("loss", 400, net) for net in LOSSES),
    Scenario("one kind", 1000, 0.4 * 40 / 1000, focus=40, focus_loss=0.4),
    *(Scenario("beside a new kind", 240, net, new=160) for net in (0.0, 0.03, 0.05, 0.1)),
    *(Scenario("churn", n, 0.0, chance) for n in SIZES for chance in CHURNS),
)


def first(found: Evaluation) -> bool:
    """The rule of the first loop: both bounds on mean agreement, with at least ten rows of each sort."""

    def bound(slice_: str) -> Bound | None:
        rows = [row for row in found.rows if row.slice == slice_]
        return lower_bound([(row.parent.agreement, row.candidate.agreement) for row in rows], FIRST_ALPHA)

    hard, general = bound("hard"), bound("general")
    if hard is None or general is None or min(hard.n, general.n) < FIRST_LEAST:
        return False
    return hard.lower > 0 and general.lower > -FIRST_MARGIN


def draw(case: Scenario, chance: random.Random) -> Evaluation:
    """One evaluation of a candidate of `case`."""
    return Evaluation(candidate_finite=True, rows=(*NEW, *_general(case, chance)))


def _general(case: Scenario, chance: random.Random) -> Iterator[JudgedRow]:
    names = map(str, itertools.count())
    for kind, rows, loss in case.kinds():
        for _ in range(rows):
            at = chance.random()
            if at < loss:
                yield _row(next(names), "general", RIGHT, _broken(chance), kind)
            elif at < loss + case.chance:
                yield _row(next(names), "general", _broken(chance), RIGHT, kind)
            else:
                yield _row(next(names), "general", RIGHT, RIGHT, kind)
    for i in range(case.new):
        before, after = (RIGHT if chance.random() < odds else _broken(chance) for odds in (0.1, 0.5))
        yield _row(next(names), "general", before, after, f"new kind {i % NEW_KINDS}")


def _broken(chance: random.Random) -> JudgedReply:
    return JudgedReply.model_construct(agreement=1 - chance.uniform(0.03, 0.056), exact=False, facts=False)


def _row(name: str, slice_: str, before: JudgedReply, after: JudgedReply, kind: str) -> JudgedRow:
    return JudgedRow.model_construct(id=name, slice=slice_, kind=kind, parent=before, candidate=after)


NEW = tuple(
    _row(str(i), "hard", JudgedReply(agreement=0.4 + 0.002 * i, exact=False, facts=False), RIGHT, "new")
    for i in range(100)
)  # fmt: skip
"""New traffic on which every candidate is better."""


def rules(case: Scenario) -> tuple[str, ...]:
    """Rules that a case is shown for."""
    beside = {
        "loss": ("default", "first"),
        "one kind": ("default", "no kinds", "first"),
        "beside a new kind": ("default", "no known", "first"),
    }
    return beside.get(case.name, ("default",))


def measure(case: Scenario, runs: int, seed: int) -> list[dict[str, Any]]:
    """Share of `runs` that pass, by rule; the same draws for each."""
    chance = random.Random(f"{seed} {case}")
    passed = dict.fromkeys(rules(case), 0)
    for _ in range(runs):
        found = draw(case, chance)
        for rule in passed:
            passed[rule] += RULES[rule](found)
    told = {"case": case.name, **asdict(case), "loss": case.loss, "gain": case.chance, "runs": runs}
    told["rows_needed"] = pairs_needed(2 * case.chance, CONFIG.margin, CONFIG.alpha)
    return [{"rule": rule, **told, "passes": count / runs} for rule, count in passed.items()]


def show(report: dict[str, Any]) -> None:
    """The table."""
    table = Table(title=f"how often a candidate passes, of {report['runs']} runs each (seed {report['seed']})")
    for column in ("case", "rows", "points lost", "% changing by chance", "needs", "rule", "passes"):
        table.add_column(column, justify="left" if column in ("case", "rule") else "right")
    for row in report["rows"]:
        share, lost = f"{100 * row['gain']:.1f}", f"{100 * row['net']:.1f}"
        table.add_row(
            row["case"],
            str(row["n"] + row["new"]),
            lost,
            share,
            str(row["rows_needed"]),
            row["rule"],
            f"{row['passes']:.1%}",
        )
    Console().print(table)


def report(runs: int, seed: int) -> dict[str, Any]:
    """Every case, and the configuration that judged it."""
    rows = [row for case in CASES for row in measure(case, runs, seed)]
    return {"config": CONFIG.model_dump(mode="json"), "rows": rows}


def main(argv: list[str]) -> int:
    """Entry point."""
    return simulate("gate", __doc__ or "", "evaluations", 200, argv, report, show)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
