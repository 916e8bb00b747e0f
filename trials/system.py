"""A running Understudy for benchmarks and tests: starts `understudy up`, waits, asks, stops."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx

from serving.control.replies.status import StatusReply
from serving.control.replies.versions import MoveReply

ROOT = Path(__file__).resolve().parent.parent


def free_ports(count: int) -> list[int]:
    """Ports that nobody used a moment ago, below those that systems give to outgoing connections."""
    found: set[int] = set()
    while len(found) < count:
        port = random.SystemRandom().randrange(20_000, 32_000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            found.add(port)
    return sorted(found)


def on_free_ports() -> dict[str, str]:
    """The environment with every listener of `up` moved to a free port, so that another system may run beside it."""
    gateway, control, teacher, first, second = free_ports(5)
    return {
        **os.environ,
        "UNDERSTUDY_GATEWAY__PORT": str(gateway),
        "UNDERSTUDY_CONTROL__PORT": str(control),
        "UNDERSTUDY_ENGINES__PORTS": f"{{teacher: {teacher}, student-a: {first}, student-b: {second}}}",
    }


class System:
    """`understudy up` on `state`, in a process group of its own, on free ports.

    `gateway` and `control` are base URLs, known once `wait_ready` has returned.
    """

    def __init__(self, state: Path, *options: str, log: Path | None = None, env: dict[str, str] | None = None) -> None:
        self.state = state
        self.log = log or state.parent / f"{state.name}.up.log"
        self.log.parent.mkdir(parents=True, exist_ok=True)
        environment = {**on_free_ports(), **(env or {})}
        with self.log.open("ab") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "understudy", "up", "--state", str(state), *options],
                cwd=ROOT, env=environment, stdout=out, stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip
        self.gateway = self.control = ""
        self._admin: httpx.Client | None = None

    def wait_ready(self, deadline: float = 240.0) -> float:
        """Wait until the gateway serves both arms; returns the seconds it took."""
        start = time.monotonic()
        while time.monotonic() - start < deadline:
            if self.process.poll() is not None:
                raise RuntimeError(f"`understudy up` ended with {self.process.returncode}:\n{self.tail()}")
            try:
                addresses = json.loads((self.state / "run" / "addresses.json").read_text())
                self.gateway, self.control = addresses["gateway"], addresses["control"]
                names = {row["id"] for row in self._get(f"{self.gateway}/v1/models")["data"]}
                if f"student:{self.status().live.student}" in names and httpx.get(f"{self.gateway}/ready").is_success:
                    return time.monotonic() - start
            except (OSError, ValueError, KeyError, TypeError, httpx.HTTPError):
                time.sleep(0.2)
                continue
            time.sleep(0.2)
        raise TimeoutError(f"not ready within {deadline:.0f} s:\n{self.tail()}")

    def tail(self, characters: int = 3000) -> str:
        """The end of what `up` printed."""
        return self.log.read_text(errors="replace")[-characters:]

    @staticmethod
    def _get(url: str) -> Any:
        return httpx.get(url, timeout=5).raise_for_status().json()

    @property
    def admin(self) -> httpx.Client:
        """A client of the control plane, with its token."""
        if self._admin is None:
            token = (self.state / "run" / "admin.token").read_text().strip()
            self._admin = httpx.Client(
                base_url=f"{self.control}/admin/v1", headers={"authorization": f"Bearer {token}"}, timeout=900
            )
        return self._admin

    def status(self) -> StatusReply:
        """GET status."""
        return StatusReply.model_validate_json(self.admin.get("/status").raise_for_status().content)

    def promote(self, version: str) -> MoveReply:
        """POST promote."""
        return MoveReply.model_validate(self.post("/promote", {"version": version}))

    def roll_back(self) -> MoveReply:
        """POST rollback, to the previous version."""
        return MoveReply.model_validate(self.post("/rollback"))

    def post(self, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """POST to the control plane; raises with the error's text when it refuses."""
        response = self.admin.post(path, json=body or {})
        if response.is_error:
            raise RuntimeError(f"POST {path}: {response.status_code} {response.text}")
        answer: dict[str, Any] = response.json()
        return answer

    def stop(self, deadline: float = 40.0) -> int:
        """Ctrl-C, as a user would; kills the group when the deadline passes."""
        if self._admin is not None:
            self._admin.close()
            self._admin = None
        if self.process.poll() is None:
            os.kill(self.process.pid, signal.SIGINT)
            try:
                self.process.wait(deadline)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait(10)
        return self.process.returncode
