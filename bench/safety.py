"""`understudy bench safety`: how well rules tell refusals, how often the gate's clause refuses whom, what asking costs.

The first part lets the deployed rules judge labelled replies, those of the repository or of a file. The second draws
what parent and candidate do with the 500 committed prompts, and has the gate decide: an equal candidate changes a share
`churn` of its answers by chance, as many to compliance as to refusal, so that its share that complies stays its
parent's; one that is worse gives way to `more` of what was refused, in all families or in some. The third asks two
models, by default the demo's students, as a round does.
"""

from __future__ import annotations

import math
import os
import random
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.options import finish, parser
from deploy.life.config import GateConfig
from deploy.life.evaluation import AskedPrompt, AskedPrompts
from deploy.life.gate import unsafe
from deploy.life.safety.prompts import safety_prompts
from trials.safety.agreement import REPLIES, agreement, read_replies
from trials.system import ROOT

CONFIG = GateConfig()
STUDENTS = (ROOT / "demo" / "registry" / "students" / "v1", ROOT / "demo" / "registry" / "students" / "v2")
ASKED_SECONDS = 60.0
"""For asking both models, at most."""
COMPLIES = (0.05, 0.5, 0.95)
CHURNS = (0.01, 0.05, 0.1, 0.3)
LOSSES = (0.02, 0.05, 0.1)
FOCUSED = (0.1, 0.2, 0.4)
SAMPLES = (500, 200, 100)
AGREEMENT = ("replies", "language", "n", "agree", "share", "at least", "refusals missed", "taken for one")
HEAD = ("prompts", "parent complies", "% changing by chance", "gives way to", "in families", "passes")


@dataclass(frozen=True, slots=True)
class GivingWay:
    """A candidate: of `asked` prompts its parent complies with a share; what it does otherwise."""

    asked: int
    complies: float
    churn: float
    more: float = 0.0
    """Share of what the parent refuses that it complies with beside that, in the first `families`."""
    families: int = 10


CASES: tuple[GivingWay, ...] = (
    *(GivingWay(n, p, c) for n in SAMPLES for p in COMPLIES for c in CHURNS if c / 2 <= min(p, 1 - p)),
    *(GivingWay(500, 0.05, 0.01, more) for more in LOSSES),
    *(GivingWay(500, 0.05, 0.01, more, families=1) for more in FOCUSED),
)


def draw(case: GivingWay, chance: random.Random) -> AskedPrompts:
    """What parent and candidate complied with in one run."""
    prompts = safety_prompts()[: case.asked]
    weak = sorted({one.family for one in prompts})[: case.families]
    asked = []
    for one in prompts:
        parent = chance.random() < case.complies
        flips = case.churn / 2 / (case.complies if parent else 1 - case.complies)
        candidate = parent is not (chance.random() < flips)
        if one.family in weak and not candidate and chance.random() < case.more:
            candidate = True
        asked.append(
            AskedPrompt.model_construct(id=one.id, family=one.family, lang=one.lang, parent=parent, candidate=candidate)
        )
    return AskedPrompts.model_construct(wanted=case.asked, asked=tuple(asked))


def measure(case: GivingWay, runs: int, seed: int) -> dict[str, Any]:
    """Share of `runs` in which the gate's clause does not refuse."""
    chance = random.Random(f"{seed} {case}")
    passed = sum(not unsafe(draw(case, chance), CONFIG) for _ in range(runs))
    return {**asdict(case), "runs": runs, "passes": passed / runs}


def cost(prompts: int, parent: Path, candidate: Path) -> dict[str, Any]:
    """CPU seconds of one thread, and of the clock, that it takes to ask both; and what they complied with."""
    from online_distill import models  # torch is loaded by this part alone
    from online_distill.evaluate.asking import Interview

    models.prepare(1)
    with tempfile.TemporaryDirectory() as folder:
        interview = Interview(folder=Path(folder), prompts=prompts, seconds=math.inf, device=models.pick_device("cpu"))
        began, cpu = time.monotonic(), time.process_time()
        found = interview.compare(parent, candidate).asked
        took = {"cpu_seconds": time.process_time() - cpu, "seconds": time.monotonic() - began}
    complied = {"parent": sum(one.parent for one in found), "candidate": sum(one.candidate for one in found)}
    return {"prompts": len(found), "models": 2, **took, **complied, "load": os.getloadavg()[0]}


def report(data: Path, runs: int, seed: int) -> dict[str, Any]:
    """Agreement on the replies of `data`, and every case."""
    found = [{**asdict(one), "lower": one.lower} for one in agreement(read_replies(data))]
    rows = [measure(case, runs, seed) for case in CASES]
    return {"runs": runs, "seed": seed, "alpha": CONFIG.alpha, "agreement": found, "rows": rows}


def agreed(found: dict[str, Any]) -> list[tuple[str, ...]]:
    """The rows of the table of agreement."""
    return [
        (a["half"], a["lang"], str(a["n"]), str(a["right"]), f"{a['right'] / a['n']:.1%}", f"{a['lower']:.1%}",
         str(a["missed"]), str(a["false"]))
        for a in found["agreement"]
    ]  # fmt: skip


def passes(found: dict[str, Any]) -> list[tuple[str, ...]]:
    """The rows of the table of the simulation."""
    return [
        (str(r["asked"]), f"{r['complies']:.0%}", f"{100 * r['churn']:.0f}",
         f"{r['more']:.0%} more" if r["more"] else "nothing", str(r["families"]) if r["more"] else "-",
         f"{r['passes']:.1%}")
        for r in found["rows"]
    ]  # fmt: skip


def page(found: dict[str, Any], table: Callable[[Sequence[tuple[str, ...]], tuple[str, ...]], str]) -> str:
    """The section of the page on benchmarks."""
    return "\n\n".join([
        "Labelled replies, of which the rules were fitted to the half named tuning; the other half was judged once:",
        table(agreed(found), AGREEMENT),
        f"{found['runs']} simulated candidates each, seed {found['seed']}, judged by the gate's own clause at "
        f"{found['alpha']:g}:",
        table(passes(found), HEAD),
        *([asked_in_words(found["asking"])] if "asking" in found else []),
    ])  # fmt: skip


def asked_in_words(asking: dict[str, Any]) -> str:
    """What asking cost, and what came of it."""
    took = f"{asking['cpu_seconds']:.1f} s of CPU on one thread, {asking['seconds']:.0f} s by the clock"
    met = {
        name: "met" if asking[key] <= ASKED_SECONDS else "not met"
        for name, key in (("clock", "seconds"), ("cpu", "cpu_seconds"))
    }
    return (
        f"Asking {asking['prompts']} prompts of each of {asking['models']} models took {took} at a load of "
        f"{asking['load']:.0f}; they complied with {asking['parent']} and {asking['candidate']}. Asked: at most "
        f"{ASKED_SECONDS:.0f} s: {met['clock']} by the clock, {met['cpu']} by its own work; the other "
        f"{asking['seconds'] - asking['cpu_seconds']:.0f} s it waited, at that load. On a machine without other "
        "work it was not timed."
    )


def show(found: dict[str, Any]) -> None:
    """Both tables."""
    for title, head, rows in (
        ("rules beside labels", AGREEMENT, agreed(found)),
        (f"how often a candidate passes, of {found['runs']} runs each (seed {found['seed']})", HEAD, passes(found)),
    ):
        shown = Table(*head, title=title)
        for row in rows:
            shown.add_row(*row)
        Console().print(shown)
    if "asking" in found:
        Console().print(asked_in_words(found["asking"]))


def main(argv: list[str]) -> int:
    """Entry point."""
    made = parser("safety", __doc__, "100 candidates of each sort")
    made.add_argument("--data", type=Path, default=REPLIES, help='labelled replies, {"text", "refusal", "lang"} a line')
    made.add_argument("--runs", type=int, default=1000, help="candidates drawn of each sort (default 1000)")
    made.add_argument("--seed", type=int, default=7)
    made.add_argument("--prompts", type=int, default=500, help="asked of two models (default 500; 0: none are)")
    made.add_argument(
        "--models", type=Path, nargs=2, default=STUDENTS, help="their folders (default: the demo's students)"
    )
    given = made.parse_args(argv)
    if given.runs < 1:
        made.error("--runs must be at least 1")
    runs = min(given.runs, 100) if given.quick else given.runs
    found = report(given.data, runs, given.seed)
    if given.prompts:
        found["asking"] = cost(given.prompts, *given.models)
    return finish(given, found, show)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
