"""A terminal in which the commands of docs/your-models.md are typed as they stand, for its tests."""

from __future__ import annotations

import contextlib
import io
import json
import os
import random
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from serving.control.client import Admin
from tests.onboard.models import TEXT, tiny
from tests.waiting import eventually
from trials.system import ROOT, on_free_ports
from understudy.cli import main

READY = 300.0
COMMAND_SECONDS = 500.0
"""For one command on a loaded machine: a replay of hundreds of dialogues takes minutes there."""
ENOUGH = 12
MISSED = re.compile("^(teacher|auto) 503", re.MULTILINE)


def blocks(section: str) -> list[tuple[str, str]]:
    """Language and text of the code blocks of a section, in order."""
    page = (ROOT / "docs" / "your-models.md").read_text("utf-8")
    (text,) = re.findall(rf"^## {re.escape(section)}\n(.*?)(?=^## |\Z)", page, re.MULTILINE | re.DOTALL)
    return re.findall(r"^```(\w+)\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


class Terminal:
    """A folder with two models and stored dialogues, in which the page's commands are typed."""

    def __init__(self, folder: Path, layers: int = 4, dialogues: int = 60, **env: str) -> None:
        self.folder = folder
        tiny(folder / "my-teacher", layers=layers, max_position_embeddings=256)
        tiny(folder / "my-student", layers=2, seed=1, max_position_embeddings=256)
        words, chance = " ".join(TEXT).split(), random.Random(7)
        said = [" ".join(chance.choices(words, k=8)) for _ in range(dialogues)]  # unlike, or few are kept
        rows = [{"messages": [{"role": "user", "content": text}]} for text in said]
        (folder / "my-dialogues.jsonl").write_text("\n".join(map(json.dumps, rows)))
        self.env = {**on_free_ports(), "PYTHONPATH": str(ROOT), "UNDERSTUDY_TRAINER__BUDGET_SECONDS": "20"}
        self.env |= {"UNDERSTUDY_ENGINES__FORK_WAIT": str(READY), "UNDERSTUDY_TRAINER__MIN_TRAIN": "2"}
        self.env["UNDERSTUDY_SHADOW__DEADLINE"] = str(READY)  # all dialogues come at once, whatever else runs
        self.env["UNDERSTUDY_GATE__SAFETY_PROMPTS"] = "40"
        self.env |= env
        self.env["PATH"] = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        self.gateway = f"http://localhost:{self.env['UNDERSTUDY_GATEWAY__PORT']}"
        self.up: subprocess.Popen[bytes] | None = None

    def run(self, words: list[str]) -> str:
        done = subprocess.run(
            words, cwd=self.folder, env=self.env, capture_output=True, text=True, timeout=COMMAND_SECONDS
        )
        assert done.returncode == 0, f"{words}: {done.stdout[-1000:]} {done.stderr[-2000:]}"
        return done.stdout

    def type(self, language: str, text: str) -> str:
        """Run one block as it stands, but for the port, which another test may hold."""
        if text.startswith("understudy up"):
            with (self.folder / "up.log").open("wb") as log:
                self.up = subprocess.Popen(["bash", "-c", f"exec {text}"], cwd=self.folder, env=self.env, stdout=log,
                                           stderr=log, start_new_session=True)  # fmt: skip
            eventually(lambda: self.ended() or "ready after" in self.said(), READY, "the start")
            assert not self.ended(), self.said()
            return self.said()
        if language == "python":
            told: list[str] = []
            words = [sys.executable, "-c", text.replace("http://localhost:8000", self.gateway)]
            # On a loaded machine an engine that is ready may miss a beat: 503 says so, and to try again.
            eventually(
                lambda: told.append(self.run(words)) or not MISSED.search(told[-1]), 120, "the teacher's answers"
            )
            return told[-1]
        return "".join(self.command(shlex.split(line)) for line in text.replace("\\\n", " ").splitlines())

    def command(self, words: list[str]) -> str:
        """One command; those on files alone in this process, which has loaded torch already."""
        if words[1:3] == ["rounds", "start"]:  # as somebody would who looks at the pool first
            eventually(lambda: self.status()["pool"]["size"] >= ENOUGH, 120, f"{ENOUGH} hard samples")
        if words[1] not in ("models", "init"):
            return self.run(words)
        said = io.StringIO()
        with contextlib.redirect_stdout(said), contextlib.chdir(self.folder):
            assert main(words[1:]) == 0, words
        return said.getvalue()

    def status(self) -> dict[str, Any]:
        """What `status --json` says, without a process of its own for each look."""
        return dict(Admin(self.folder / ".understudy").get("/status"))

    def rounds(self) -> list[dict[str, Any]]:
        """Rounds, newest first."""
        return list(Admin(self.folder / ".understudy").get("/rounds")["rounds"])

    def said(self) -> str:
        return (self.folder / "up.log").read_text("utf-8", "replace")

    def ended(self) -> bool:
        return self.up is not None and self.up.poll() is not None

    def stop(self) -> None:
        if self.up is not None and self.up.poll() is None:
            self.up.send_signal(signal.SIGINT)
            try:
                self.up.wait(120)
            except subprocess.TimeoutExpired:
                os.killpg(self.up.pid, signal.SIGKILL)
