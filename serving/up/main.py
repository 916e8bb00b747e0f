"""Entry point of `understudy up`: lock, check, start, show, and stop in order."""

from __future__ import annotations

import asyncio
import json
import logging
import math
import shlex
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.live import Live

from deploy.engines.keys import known_own_key
from deploy.life.config import GateConfig, RolloutConfig
from feedback.store.config import RedisConfig
from serving.up import application, launch, roles
from serving.up.goal import Goal, failed, leave, write_report
from serving.up.options import UpOptions, parsed
from serving.up.show.figures import Figures, line
from serving.up.show.live import LiveFigures
from serving.up.show.view import render
from serving.up.supervise.leftovers import Ledger
from serving.up.supervise.lock import StateLock
from serving.up.supervise.process import PYTHON
from serving.up.supervise.restarts import Policy
from serving.up.supervise.supervisor import Supervisor
from understudy import logs
from understudy.config import load_config
from understudy.errors import UnderstudyError
from understudy.process.scratch import Scratch

FRAME = 0.5
"""Seconds between two pictures of the live view."""
LINE = 5.0
"""Seconds between two lines where there is no terminal."""
INTERRUPTED = 130
"""Exit code of a start that was interrupted, as shells have it."""
SCRIPT = Path(sys.executable).with_name("understudy")
PROGRAM = (str(SCRIPT),) if SCRIPT.exists() else (*PYTHON, "understudy")
"""How a user calls this installation, also where it is not on the path."""

QUESTION = "Order KL2457 was shipped on May 3 and takes 4 days. When will it arrive?"
"""One that anybody may ask."""


def main(argv: list[str]) -> int:
    """Run until Ctrl-C (0, or 130 before all was ready), with `--until-swap` until the swap (0) or the time-out (1).

    The report tells of this run from its first moment on, so that none is ever taken for that of an earlier one.
    """
    options = parsed(argv)
    logging.getLogger("asyncio").setLevel(logging.ERROR)
    console = Console(highlight=False)
    logs.set_up(ConsoleHandler(console), logging.WARNING)
    logging.getLogger("understudy.up").setLevel(logging.INFO)
    leave(options, failed("the run was interrupted, or has not ended yet"))
    options.state.root.mkdir(mode=0o700, parents=True, exist_ok=True)  # conversations and keys: its owner's alone
    try:
        with StateLock(options.state.run):
            return asyncio.run(Up(options, console).run())
    except UnderstudyError as error:
        leave(options, failed(error.message))
        raise


class Up:
    """One run."""

    def __init__(self, options: UpOptions, console: Console) -> None:
        self._options = options
        self._console = console
        self._state = options.state
        self._began = time.monotonic()
        self._started = time.time()
        self._ready = False

    @property
    def _left(self) -> float:
        """Seconds until `--timeout` ends, without end where nothing is waited for."""
        if not self._options.until_swap:
            return math.inf
        return max(0.0, self._options.timeout - (time.monotonic() - self._began))

    async def run(self) -> int:
        """Start everything, stay, and stop everything, whatever happens; a second Ctrl-C does not wait."""
        ledger = Ledger(self._state.run)
        left = ledger.reap()
        if left:
            self._console.print(f"ended what a killed run had left: {', '.join(left)}", markup=False, soft_wrap=True)
        with Scratch(self._state).holding("up"):
            return await self._run(ledger)

    async def _run(self, ledger: Ledger) -> int:
        plan = launch.plan(self._options)
        up = plan.up
        policy = Policy(up.backoff, up.backoff_limit, up.steady_seconds)
        supervisor = Supervisor(self._state.logs, ledger, policy, up.stop_seconds)
        work = asyncio.create_task(self._work(plan, supervisor))
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, work.cancel)
        try:
            return await work
        except asyncio.CancelledError:
            if self._options.until_swap:
                return 1
            return 0 if self._ready else INTERRUPTED
        finally:
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                loop.add_signal_handler(number, supervisor.hurry)
            self._console.print("stopping ...")
            try:
                await supervisor.stop_all()
                ledger.clear()
            finally:
                self._state.addresses.unlink(missing_ok=True)

    async def _work(self, plan: launch.LaunchPlan, supervisor: Supervisor) -> int:
        launch.prepare(self._state, plan)
        traffic = self._state.run / "traffic.jsonl"
        if traffic.exists():
            traffic.replace(traffic.with_suffix(".jsonl.1"))
        with self._console.status("starting Redis, engines, gateway, worker, controller and trainer ..."):
            await launch.start(self._state, plan, supervisor, self._say)
            seconds = min(plan.up.ready_seconds, self._left)
            await launch.first_reply(plan, supervisor, self._state.logs, seconds, known_own_key(self._state))
        self._ready = True
        ready = time.monotonic() - self._began
        self._console.print(greeting(plan, self._state.root, ready), markup=False, soft_wrap=True)
        config = load_config(plan.config)
        prefix, steps = config.section(RedisConfig).prefix, config.section(RolloutConfig).steps
        canary = sum(step.max_wait_seconds for step in steps)
        figures = LiveFigures(
            self._state, plan.gateway, plan.redis_url, prefix, lambda: supervisor.lives, canary,
            config.section(GateConfig),
        )  # fmt: skip
        goal = None
        if self._options.until_swap:
            goal = Goal(self._state, self._left, plan.up.after_swap_seconds)
        if self._options.traffic and plan.up.application:
            await supervisor.start(application.sending(self._state, plan.gateway, plan.up))
        await self._show(figures, plan, goal)
        if goal is None:
            return 0
        return await self._report({**goal.facts, "ready": ready}, plan, supervisor)

    def _say(self, line: str) -> None:
        self._console.print(line, markup=False, soft_wrap=True)

    async def _show(self, figures: LiveFigures, plan: launch.LaunchPlan, goal: Goal | None) -> None:
        """Draw until the goal is reached; without a goal until cancelled."""
        addresses = f"gateway {plan.gateway}/v1   control {plan.control}   state {self._state.root}"
        if self._console.is_terminal:
            with Live(console=self._console, auto_refresh=False) as live:
                await self._watch(figures, goal, lambda now: live.update(render(now, addresses), refresh=True))
        else:
            await self._watch(figures, goal, Lines(self._console).show)

    async def _watch(self, figures: LiveFigures, goal: Goal | None, show: Callable[[Figures], None]) -> None:
        while True:
            now = await asyncio.to_thread(figures.look)
            show(now)
            if goal is not None and goal.over(now):
                return
            await asyncio.sleep(FRAME)

    async def _report(self, facts: dict[str, Any], plan: launch.LaunchPlan, supervisor: Supervisor) -> int:
        """Stop traffic and learning, measure, write the report."""
        for name in (application.NAME, roles.TRAINER, roles.WORKER):
            await supervisor.stop(name)
        facts = {**facts, "started": self._started}
        ok = await write_report(self._options, plan, facts, self._left, self._console)
        return 0 if ok else 1


class ConsoleHandler(logging.Handler):
    """Log records as lines of the console, in the manner of the events."""

    def __init__(self, console: Console) -> None:
        super().__init__()
        self._console = console
        self.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%H:%M:%S"))

    def emit(self, record: logging.LogRecord) -> None:
        """Print one record, above the live view where there is one."""
        self._console.print(self.format(record), markup=False, soft_wrap=True)


class Lines:
    """Prints events as they come and a line of figures every few seconds."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._printed = 0.0
        self._seen: tuple[str, ...] = ()

    def show(self, now: Figures) -> None:
        """Print what is new."""
        known = set(self._seen)
        for event in now.events:
            if event not in known:
                self._console.print(event, markup=False, soft_wrap=True)
        self._seen = now.events
        if time.monotonic() - self._printed >= LINE:
            self._console.print(line(now), markup=False, soft_wrap=True)
            self._printed = time.monotonic()


def greeting(plan: launch.LaunchPlan, state: Path, seconds: float) -> str:
    """What is printed once both arms answer; its commands work as they stand, in any folder."""
    body = json.dumps({"model": "auto", "messages": [{"role": "user", "content": QUESTION}]})
    return (
        f"ready after {seconds:.0f} s\n"
        f"  OpenAI API     {plan.gateway}/v1   (models: auto, teacher, student)\n"
        f"  control plane  {plan.control}/admin/v1   (token: {state}/run/admin.token)\n"
        f"  try it         curl -s {plan.gateway}/v1/chat/completions -H 'content-type: application/json' -d '{body}'\n"
        f"  go back        {shlex.join((*PROGRAM, 'rollback', '--state', str(state)))}\n"
    )
