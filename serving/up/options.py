"""Options of `understudy up`."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

from understudy.state import DEFAULT_STATE, StateDir


@dataclass(frozen=True, slots=True)
class UpOptions:
    """What the command line asked for; `timeout` in seconds counts with `until_swap` alone."""

    state: StateDir
    config: Path | None = None
    traffic: bool = True
    until_swap: bool = False
    report: Path | None = None
    timeout: float = 1800.0


def parser() -> argparse.ArgumentParser:
    """Options of the command."""
    made = argparse.ArgumentParser(
        prog="understudy up",
        description="Run the whole system on this machine: embedded Redis, teacher and student engines, gateway, "
        "worker, trainer, controller, and an application that sends traffic. Ctrl-C stops all of it; "
        "the next start continues from the state directory.",
        epilog="example: understudy up --until-swap --json report.json",
    )
    made.add_argument("--config", type=Path, help="your settings (YAML); what they leave open gets defaults of `up`")
    made.add_argument("--state", type=Path, default=DEFAULT_STATE, help="state directory (default: %(default)s)")
    made.add_argument("--no-traffic", action="store_true", help="do not start the application")
    made.add_argument("--until-swap", action="store_true", help="end once a distilled student went live under traffic")
    made.add_argument("--json", type=Path, metavar="FILE", help="write the report of --until-swap to FILE")
    made.add_argument("--timeout", type=float, default=1800.0, metavar="S", help="limit of --until-swap (%(default)s)")
    return made


def parsed(argv: list[str]) -> UpOptions:
    """Options from words."""
    given = parser().parse_args(argv)
    return UpOptions(
        state=StateDir(given.state.absolute()),
        config=given.config,
        traffic=not given.no_traffic,
        until_swap=given.until_swap,
        report=given.json,
        timeout=given.timeout,
    )
