"""Commands on experiment files alone: `understudy experiment assign`."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from ab.assignment import bucket, choose
from ab.files import read_experiment, read_units


def assign(argv: list[str]) -> int:
    """Print JSON lines {"unit", "bucket", "arm"} for every unit of a file."""
    parser = argparse.ArgumentParser(
        prog="understudy experiment assign",
        description="Say which arm each unit is assigned to, by GrowthBook's hash v2.",
        epilog="example: understudy experiment assign docs/experiment.yaml --units users.txt",
    )
    parser.add_argument("file", type=Path, help="experiment file (YAML)")
    parser.add_argument("--units", type=Path, required=True, help="file with one unit a line")
    parser.add_argument("--json", action="store_true", help="accepted; the output is JSON lines anyway")
    parser.add_argument("--state", type=Path, help="accepted; not needed")
    given = parser.parse_args(argv)
    experiment = read_experiment(given.file)
    for unit in read_units(given.units):
        position = bucket(experiment.hash_seed, unit)
        line = {"unit": unit, "bucket": position, "arm": choose(experiment.arms, position)}
        sys.stdout.write(json.dumps(line, ensure_ascii=False) + "\n")
    return 0
