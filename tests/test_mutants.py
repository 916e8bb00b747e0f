"""The list of changes is in step with the code, and the tool that tries them tells a noticed one from another."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.mutants import MUTANTS, Mutant
from tests.waiting import LONG

ROOT = Path(__file__).resolve().parent.parent


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: f"{mutant.path}: {mutant.name}")
def test_what_is_to_be_changed_stands_there_once_and_its_tests_exist(mutant: Mutant) -> None:
    changed = mutant.applied((ROOT / mutant.path).read_text("utf-8"))
    if mutant.path.endswith(".py"):
        compile(changed, mutant.path, "exec")
    assert all((ROOT / path.partition("::")[0]).exists() for path in mutant.tests.split())


def test_at_most_one_in_ten_survives_and_none_is_named_twice() -> None:
    assert sum(bool(one.survives) for one in MUTANTS) <= len(MUTANTS) / 10
    assert len({(one.path, one.name) for one in MUTANTS}) == len(MUTANTS)


def test_the_tool_runs_one_and_says_that_it_was_noticed() -> None:
    """Of the cheapest one; all of them run in `make test-full`."""
    command = [sys.executable, str(ROOT / "scripts/mutate"), "--only", "a bad version is wanted again", "--jobs", "1"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=LONG)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 changes, 1 noticed, 0 not, in " in done.stdout
