"""Commands on files alone: `understudy experiment assign|analyse|plan` and `understudy attribute`."""

from __future__ import annotations

import argparse
import json
import math
import sys
from pathlib import Path
from typing import Any

from ab.analysis.plans import foreseen
from ab.analysis.replies import as_json
from ab.analysis.tally import ArmTally
from ab.files import read_applied, read_experiment, read_game, read_rows, read_units
from ab.running.phases import AppliedExperiment, Phase, assigned, begun, buckets
from ab.sequential.effects import Side
from ab.shapley import adds_up
from understudy.errors import UsageError


def assign(argv: list[str]) -> int:
    """Print JSON lines {"unit", "bucket", "arm"} for every unit of a file; the arm is null where it takes no part.

    Raises:
        UsageError: a phase that the file does not hold.
    """
    parser = _parser(
        "experiment assign",
        "Say which arm each unit is assigned to, by GrowthBook's hash v2.",
        "understudy experiment assign docs/experiment.yaml --units docs/examples/users.txt",
    )
    parser.add_argument("file", type=Path, help="experiment file (YAML), or what `experiment show --json` printed")
    parser.add_argument("--units", type=Path, required=True, help="file with one unit a line")
    parser.add_argument("--phase", type=int, metavar="N", help="of what `show` printed; default: the newest")
    given = parser.parse_args(argv)
    experiment = read_applied(given.file)
    phase = _phase(experiment, given.phase)
    for unit in read_units(given.units):
        found = assigned(experiment, phase, unit)
        line: dict[str, Any] = {"unit": unit, "bucket": found.bucket, "arm": found.arm}
        if experiment.switches:
            line["buckets"] = buckets(experiment, unit)
        if found.forced:
            line["forced"] = True
        sys.stdout.write(json.dumps(line, ensure_ascii=False) + "\n")
    return 0


def _phase(experiment: AppliedExperiment, number: int | None) -> Phase:
    known = {phase.number: phase for phase in experiment.phases}
    if number is None:
        return experiment.phases[-1] if known else begun(experiment)
    if number not in known:
        told = ", ".join(map(str, known)) or "none; `understudy experiment show ID --json` prints them"
        raise UsageError(f"there is no phase {number} in the file; it holds {told}")
    return known[number]


def analyse(argv: list[str]) -> int:
    """Print what rows say of an experiment, as JSON.

    Raises:
        UsageError: a file that cannot be read, or a row that is none.
    """
    parser = _parser(
        "experiment analyse",
        "Judge an experiment on rows of its units: effects, always-valid intervals, a decision and why.",
        "understudy experiment analyse docs/examples/experiment.yaml --data docs/examples/rows.jsonl",
    )
    parser.add_argument("file", type=Path, help="experiment file (YAML), or what `experiment show --json` printed")
    parser.add_argument(
        "--data", type=Path, required=True, metavar="ROWS",
        help='JSONL (or .gz): {"unit", "arm", "t"?, "phase"?, KPI: value or [numerator, denominator], ...}, or what '
        "`experiment export` wrote (.csv, .parquet)",
    )  # fmt: skip
    given = parser.parse_args(argv)
    experiment = read_applied(given.file)
    if own := [kpi for kpi, covariate in experiment.adjusted if kpi == covariate]:
        raise UsageError(
            f"the covariate of {own[0]} is {own[0]} itself; give one of the time before, as {own[0]}_before"
        )
    tally = ArmTally(experiment, {phase.number: phase.shares for phase in experiment.phases})
    for part in read_rows(given.data, tally.kpis):
        tally.add(part)
    return _print(as_json(tally.result(), tally))


def plan(argv: list[str]) -> int:
    """Print how many units an experiment needs, by what its primary KPI did before.

    Raises:
        UsageError: no primary KPI, no change to notice, or rows in which the KPI does not vary.
    """
    parser = _parser(
        "experiment plan",
        "Say how many units and days an experiment needs, and the power of those it plans.",
        "understudy experiment plan docs/examples/experiment.yaml --data docs/examples/rows.jsonl --units-per-day 300",
    )
    parser.add_argument("file", type=Path, help="experiment file (YAML) with a primary KPI")
    parser.add_argument(
        "--data", type=Path, required=True, metavar="ROWS",
        help="rows of any arm, as for `analyse`; without them a control plane says what it counted",
    )  # fmt: skip
    parser.add_argument("--change", type=float, help="the change to notice; default: the margin")
    parser.add_argument("--power", type=float, default=0.8, help="default: 0.8")
    parser.add_argument("--units-per-day", type=float, help="new units a day, to answer in days")
    given = parser.parse_args(argv)
    experiment = read_experiment(given.file)
    tally = ArmTally(experiment)
    for part in read_rows(given.data, tally.kpis):
        tally.add(part)
    asked = experiment.primary
    arms = tally.arms if asked is not None else ()
    past = sum((tally.side(arm, asked.kpi, asked.covariate) for arm in arms if asked is not None), Side())
    try:
        return _print(foreseen(experiment, past, given.units_per_day, given.change, given.power))
    except ValueError as error:
        raise UsageError(str(error)) from None


def attribute(argv: list[str]) -> int:
    """Print each player's exact Shapley value, as JSON.

    Raises:
        UsageError: not the values of all coalitions.
    """
    parser = _parser(
        "attribute",
        "Attribute a change to what caused it: exact Shapley values of up to ten players, with 95 % intervals.",
        "understudy attribute docs/examples/values.json",
    )
    parser.add_argument("file", type=Path, help='{"players": ["a", "b"], "values": {"": 0, "a": 1, "b": 2, "a,b": 4}}')
    game = read_game(parser.parse_args(argv).file)
    found = game.shapley()
    total = math.fsum(one.value for one in found.values())
    if not adds_up((one.value for one in found.values()), game.total, max(abs(x) for x, _ in game.values.values())):
        raise UsageError(f"the contributions add up to {total:g}, the whole is {game.total:g}")
    values = {name: {"value": one.value, "lower": one.lower, "upper": one.upper} for name, one in found.items()}
    return _print({"shapley": values, "sum": total})


def _parser(words: str, description: str, example: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=f"understudy {words}", description=description, epilog=f"example: {example}"
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="accepted; the output is JSON anyway")
    parser.add_argument("--state", type=Path, help="accepted; not needed")
    return parser


def _print(value: dict[str, Any]) -> int:
    print(json.dumps(value, ensure_ascii=False, indent=2, allow_nan=False))
    return 0
