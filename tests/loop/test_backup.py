"""A backup as docs/guide.md has it, brought back in another place: all tests that run the system run on it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from deploy.registry.store import Registry
from tests.loop.backup import kept_in_a_backup, left_out_of_a_backup
from tests.loop.experimenter import DRIFT, understudy
from tests.loop.turn import Turned
from trials.system import System
from understudy.state import StateDir

pytestmark = [pytest.mark.loop, pytest.mark.timeout(1800)]


def told(state: Path, *words: str) -> dict[str, Any]:
    """What a command says as JSON."""
    done = understudy(state, *words, "--json")
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


def test_every_folder_of_the_state_directory_is_named(turned: Turned) -> None:
    assert {"registry", "spool", "redis", "rows", "clients"} == set(kept_in_a_backup())
    folders = {path.name for path in turned.state.iterdir() if path.is_dir()}
    assert folders <= {*kept_in_a_backup(), *left_out_of_a_backup()}


def test_what_was_backed_up_comes_back_elsewhere_as_it_was(turned: Turned, system: System) -> None:
    before = told(turned.state, "audit", "verify")
    after = told(system.state, "audit", "verify", "--head", f"{before['entries']}:{before['head']}")
    assert after["entries"] >= before["entries"]
    former, now = (Registry(StateDir(state)).names() for state in (turned.state, system.state))
    assert former <= now
    assert system.status().live.student in former
    assert system.status().pool.size > 0
    counted = told(system.state, "experiment", "results", DRIFT["id"])["arms"]
    looked = turned.looks[DRIFT["id"]][-1]["arms"]
    assert {arm: one["units"] for arm, one in counted.items() if one["units"] < looked[arm]["units"]} == {}
