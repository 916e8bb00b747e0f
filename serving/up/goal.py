"""`--until-swap`: when the run is over, and the report that it leaves."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console

from deploy.registry.store import Registry
from serving.up import application
from serving.up.launch import LaunchPlan, last_line
from serving.up.options import UpOptions
from serving.up.show.figures import Figures
from serving.up.supervise.process import PYTHON, Role, run_once
from understudy.clock import Clock, monotonic, wall
from understudy.errors import UnderstudyError
from understudy.files import read_json, write_json
from understudy.state import StateDir

REPORT_SECONDS = 300.0
"""What the report gets at least, also where `--timeout` leaves less."""
OVERTIME_SECONDS = REPORT_SECONDS + 100.0
"""How long `up --until-swap` may go on after its `--timeout`, with the default settings: report and stopping."""
MEASURED = ("machine", "seconds", "requests", "swap", "hard", "agreement", "prefix", "canary", "student_vs_teacher")


class Goal:
    """Reached once a version that a round made became stable, and traffic went on for a while after it."""

    def __init__(self, state: StateDir, timeout: float, after: float, clock: Clock = monotonic) -> None:
        self._registry = Registry(state)
        self._clock = clock
        self._end = clock() + timeout
        self._after = after
        self._before: str | None = None
        self._live: str | None = None
        self._live_at: float | None = None
        self._until = 0.0

    def over(self, now: Figures) -> bool:
        """Whether to end: the swap was seen some time ago, or the time is up."""
        if now.stable == "-" and now.unfit:
            self._before = now.unfit
        if self._live is None and now.stable != "-":
            self._look(now.stable)
        if self._live is not None and self._clock() >= self._until:
            return True
        return self._clock() >= self._end

    @property
    def facts(self) -> dict[str, Any]:
        """Names of the versions before and after, and when (seconds since the epoch) the latter went live."""
        return {"before": self._before, "after": self._live, "live_at": self._live_at}

    def _look(self, stable: str) -> None:
        if self._before is None:
            self._before = stable
        if stable == self._before:
            return
        try:
            distilled = self._registry.manifest(stable).round is not None
        except UnderstudyError:
            distilled = False
        if distilled:
            self._live, self._live_at, self._until = stable, wall(), self._clock() + self._after
        else:
            self._before = stable


def report_path(options: UpOptions) -> Path:
    """Where the report goes: where the user asked for it, else into the state directory."""
    return options.report or options.state.run / "report.json"


def failed(why: str, facts: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The report of a run that did not reach its goal: the keys of a full one, empty where nothing was measured."""
    versions = {name: facts[name] for name in ("before", "after") if facts and facts[name]}
    return {"ok": False, "why": why, "versions": versions, **{name: {} for name in MEASURED}}


def leave(options: UpOptions, report: dict[str, Any]) -> None:
    """Replace the report by `report`; nothing without `--until-swap`.

    Raises:
        UnderstudyError: it cannot be written there.
    """
    if not options.until_swap:
        return
    try:
        write_json(report_path(options), report)
    except OSError as error:
        raise UnderstudyError(f"the report {report_path(options)} cannot be written: {error.strerror}") from error


async def write_report(
    options: UpOptions, plan: LaunchPlan, facts: dict[str, Any], left: float, console: Console
) -> bool:
    """Measure and write the report; returns its verdict. Without a swap nothing is measured.

    `left`: seconds until `--timeout` ends; the measurement gets `REPORT_SECONDS` at least.
    """
    out = report_path(options)
    if facts["after"] is None:
        console.print("no distilled student went live in time", style="red")
        leave(options, failed("no distilled student went live within the time-out", facts))
        return False
    stored = options.state.run / "facts.json"
    write_json(stored, facts)
    with console.status("measuring: agreement, prefix and facts on held-out questions, student against teacher ..."):
        broken = await measure(options.state, plan, stored, out, max(left, REPORT_SECONDS))
    if broken is not None:
        why = f"the measurement failed: {last_line(broken) or 'no output'} (log: {broken})"
        console.print(why, style="red", markup=False, soft_wrap=True)
        leave(options, failed(why, facts))
        return False
    ok = bool(read_json(out)["ok"])
    console.print(f"report: {out}", markup=False, soft_wrap=True)
    return ok


async def measure(state: StateDir, plan: LaunchPlan, facts: Path, out: Path, seconds: float) -> Path | None:
    """Have the application write its questions, then measure, in processes of their own; the log of what failed.

    `seconds`: how long each may take at most.
    """
    questions = state.run / "questions.jsonl"
    paths = {"state": state.root, "config": plan.config, "facts": facts, "questions": questions, "out": out}
    words = [word for name, path in paths.items() for word in (f"--{name}", str(path))]
    report = Role("report", (*PYTHON, "serving.up.report.main", *words), application.WAVE)
    for role in (application.asking(plan.up, questions), report):
        if await run_once(role, state.logs, seconds) != 0:
            return state.logs / f"{role.name}.log"
    return None
