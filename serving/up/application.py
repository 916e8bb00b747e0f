"""The application that `up` serves: a Python package that brings models, traffic and questions, known by name alone.

Each of these runs in a process of its own, so that the product never imports the package:
`NAME.install --state DIR` puts its models into a fresh registry; with `--check` it prints what it lacks, one a line.
`NAME.app` sends traffic and writes what it saw, as serving/up/show/traffic.py reads it. The key that the gateway knows
it by is in OPENAI_API_KEY, where OpenAI's SDK looks for one.
`NAME.questions --count N --out FILE` writes what the report asks, as serving/up/report/questions.py reads it.
Each is given `up.application_options`, too.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

from deploy.engines.keys import known_own_key
from serving.up.config import UpConfig
from serving.up.supervise.process import PYTHON, Role
from understudy.process.children import environment
from understudy.state import StateDir

NAME = "application"
WAVE = 0
"""It stops before everything else."""
CHECK_SECONDS = 60.0
KEY_VARIABLE = "OPENAI_API_KEY"


def lacking(state: StateDir, up: UpConfig) -> Iterator[str]:
    """What the application lacks to fill a fresh registry, one sentence each."""
    command = [*PYTHON, f"{up.application}.install", "--check", "--state", str(state.root), *more(up)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=CHECK_SECONDS, env=environment())
    yield from done.stdout.splitlines()
    if done.returncode != 0 and not done.stdout:
        why = (done.stderr.strip().splitlines() or [f"code {done.returncode}"])[-1]
        yield f"the application `{up.application}` of up.application cannot be asked: {why}"


def installing(state: StateDir, up: UpConfig) -> Role:
    """Registers its models."""
    return Role("install", (*PYTHON, f"{up.application}.install", "--state", str(state.root), *more(up)), WAVE)


def sending(state: StateDir, gateway: str, up: UpConfig) -> Role:
    """Its traffic."""
    words = (
        f"{up.application}.app", "--url", f"{gateway}/v1", "--out", str(state.run / "traffic.jsonl"),
        "--rate", str(up.rate), "--stream-share", str(up.stream_share), "--users", str(up.users),
        "--warm-seconds", str(up.warm_seconds), "--drift-share", str(up.drift_share), *more(up),
    )  # fmt: skip
    key = known_own_key(state)
    return Role(NAME, (*PYTHON, *words), WAVE, env={KEY_VARIABLE: key} if key else {})


def asking(up: UpConfig, out: Path) -> Role:
    """Writes the questions of the report to `out`."""
    words = (f"{up.application}.questions", "--count", str(up.judged), "--out", str(out), *more(up))
    return Role("questions", (*PYTHON, *words), WAVE)


def more(up: UpConfig) -> Iterator[str]:
    """The words of `up.application_options`."""
    for name, value in up.application_options.items():
        yield from (f"--{name.replace('_', '-')}", str(value))
