"""Units and the compose file start every role with words that its parser takes, and agree with each other."""

from __future__ import annotations

import configparser
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from serving.controller import parser as controller_parser
from serving.gateway.main import parse as gateway_parse
from serving.worker import parser as worker_parser
from tests.waiting import LONG
from understudy.cli import find

ROOT = Path(__file__).resolve().parents[2]
UNITS = sorted((ROOT / "packaging" / "systemd").glob("*.service"))
COMPOSE = yaml.safe_load((ROOT / "packaging" / "compose" / "compose.yaml").read_text("utf-8"))
ROLES = {"controller", "gateway", "student-a", "student-b", "teacher", "trainer", "worker"}


def read(path: Path) -> configparser.ConfigParser:
    found = configparser.ConfigParser(strict=False, interpolation=None)
    found.optionxform = str  # type: ignore[assignment, method-assign]
    found.read(path, "utf-8")
    return found


def commands() -> dict[str, list[list[str]]]:
    """By role the words of its unit and of its container, without the program."""
    units = {unit.stem.removeprefix("understudy-"): read(unit)["Service"]["ExecStart"].split() for unit in UNITS}
    services: dict[str, Any] = COMPOSE["services"]
    return {name: [words[1:], services[name]["command"][1:]] for name, words in units.items()}


def test_every_role_has_a_unit_and_a_container_with_the_same_words() -> None:
    assert set(commands()) == ROLES
    assert set(COMPOSE["services"]) == {*ROLES, "redis"}
    for name, (unit, container) in commands().items():
        assert unit == container, name
    target = read(ROOT / "packaging" / "systemd" / "understudy.target")["Unit"]["Wants"].split()
    assert set(target) == {unit.name for unit in UNITS}


@pytest.mark.parametrize("role", sorted(ROLES))
def test_the_words_are_those_of_a_command(role: str) -> None:
    command, rest = find(commands()[role][0])
    if command.words == "serve":
        assert gateway_parse(rest).gateway_only
    elif command.words in ("controller", "worker"):
        made = controller_parser() if command.words == "controller" else worker_parser()
        assert made.parse_args(rest).state == Path("/var/lib/understudy")
    else:
        assert command.words in ("engine", "train")
        assert rest[: len(rest) - 4] == ([] if command.words == "train" else [role])


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed here")
def test_systemd_takes_the_units() -> None:
    done = subprocess.run(
        ["systemd-analyze", "verify", *map(str, UNITS)], capture_output=True, text=True, timeout=LONG
    )  # fmt: skip
    wrong = [line for line in done.stderr.splitlines() if "understudy" in line and "is not executable" not in line]
    assert wrong == []


def test_the_state_is_its_owners_alone_and_every_role_is_started_again() -> None:
    for unit in UNITS:
        service = read(unit)["Service"]
        assert (service["StateDirectoryMode"], service["UMask"], service["Restart"]) == ("0700", "0077", "always")
        assert service["User"] == "understudy"
    for name, service in COMPOSE["services"].items():
        assert service["restart"] == "unless-stopped", name
