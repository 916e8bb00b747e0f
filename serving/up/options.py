"""Options of `understudy up`."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

from serving.up.config import UpConfig
from understudy.config import load_config
from understudy.errors import UsageError
from understudy.process.children import ROOT
from understudy.state import DEFAULT_STATE, StateDir

EXAMPLES = "examples"


@dataclass(frozen=True, slots=True)
class UpOptions:
    """What the command line asked for; `timeout` in seconds counts with `until_swap` alone."""

    state: StateDir
    config: Path | None = None
    traffic: bool = True
    until_swap: bool = False
    report: Path | None = None
    timeout: float = 1800.0
    prompts: Path | None = None
    """Dialogues that the application plays instead of its own."""


def parser() -> argparse.ArgumentParser:
    """Options of the command."""
    made = argparse.ArgumentParser(
        prog="understudy up",
        description="Run the whole system on this machine: embedded Redis, teacher and student engines, gateway, "
        "worker, trainer, controller, and an application that sends traffic. Ctrl-C stops all of it; "
        "the next start continues from the state directory.",
        epilog="example: understudy up --until-swap --json report.json",
    )
    which = made.add_mutually_exclusive_group()
    which.add_argument("--config", type=Path, help="your settings (YAML); what they leave open gets defaults of `up`")
    which.add_argument(
        "--models", metavar="NAME", help=f"models of an example instead of the demo's: {', '.join(examples())}"
    )
    made.add_argument(
        "--state", type=Path, help=f"state directory (default: up.state of the settings, {DEFAULT_STATE})"
    )
    made.add_argument("--prompts", type=Path, metavar="FILE", help="dialogues for an example to play (JSON lines)")
    made.add_argument("--no-traffic", action="store_true", help="do not start the application")
    made.add_argument("--until-swap", action="store_true", help="end once a distilled student went live under traffic")
    made.add_argument("--json", type=Path, metavar="FILE", help="write the report of --until-swap to FILE")
    made.add_argument("--timeout", type=float, default=1800.0, metavar="S", help="limit of --until-swap (%(default)s)")
    return made


def parsed(argv: list[str]) -> UpOptions:
    """Options from words."""
    given = parser().parse_args(argv)
    config = settings_of(given.models) if given.models else given.config
    if given.prompts and not given.prompts.is_file():
        raise UsageError(f"--prompts was given {given.prompts}: there is no such file")
    state = given.state or Path(load_config(config).section(UpConfig).state or DEFAULT_STATE)
    return UpOptions(
        state=StateDir(state.absolute()),
        config=config,
        traffic=not given.no_traffic,
        until_swap=given.until_swap,
        report=given.json,
        timeout=given.timeout,
        prompts=given.prompts.absolute() if given.prompts else None,
    )


def examples() -> list[str]:
    """Names of the examples of this checkout; `NAME/VARIANT` where one has more than one configuration."""
    found = []
    for file in sorted((ROOT / EXAMPLES).glob("*/*.yaml")):
        name = file.parent.name
        found.append(name if file.stem == "understudy" else f"{name}/{file.stem}")
    return sorted(found)


def settings_of(name: str) -> Path:
    """The configuration of an example.

    Raises:
        UsageError: there is none of that name.
    """
    if name not in examples():
        raise UsageError(f"--models was given {name!r}; there are: {', '.join(examples()) or 'none'}")
    folder, _, variant = name.partition("/")
    return ROOT / EXAMPLES / folder / f"{variant or 'understudy'}.yaml"
