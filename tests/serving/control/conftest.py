"""A real controller process on a state directory with two versions, a Redis, and a fleet that obeys."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import redis

from feedback.redis_server import RedisServer, free_port
from tests.deploy.fleet import Fleet, register
from understudy.state import StateDir

ROOT = Path(__file__).resolve().parents[3]
STEP = '[{"share": 0.25, "min_exposures": 5, "max_wait_seconds": 600, "on_timeout": "hold"}]'


def eventually(holds: Callable[[], bool], seconds: float = 40) -> None:
    """Wait until `holds()`; a call that fails because nothing answers counts as not yet."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            if holds():
                return
        except (httpx.HTTPError, OSError):
            pass
        time.sleep(0.05)
    raise AssertionError("it did not come about in time")


class Control:
    """The controller of `state` on a port of its own; `fleet` obeys in a thread."""

    def __init__(self, state: StateDir, redis_url: str) -> None:
        self.state, self.redis_url, self.port = state, redis_url, free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        for version in ("v1", "v2"):
            register(state, version)
        self.fleet = Fleet(state, redis_url)
        self._end = threading.Event()
        self._obeying = threading.Thread(target=self._obey, daemon=True)
        self._obeying.start()
        self.process = self.start()

    def environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "UNDERSTUDY_CONTROL__PORT": str(self.port),
            "UNDERSTUDY_REDIS__URL": self.redis_url,
            "UNDERSTUDY_ROLLOUT__STEPS": STEP,
            "UNDERSTUDY_GATE__MIN_PROMPTS": "5",
            "UNDERSTUDY_ADMIN_URL": self.url,
        }

    def start(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "understudy", "controller", "--state", str(self.state.root)]
        self.process = subprocess.Popen(command, cwd=ROOT, env=self.environment(), stderr=subprocess.PIPE)
        return self.process

    def call(self, method: str, path: str, **more: Any) -> httpx.Response:
        headers = {"authorization": f"Bearer {self.state.admin_token.read_text().strip()}"}
        return httpx.request(method, f"{self.url}/admin/v1{path}", headers=headers, timeout=60, **more)

    def status(self) -> dict[str, Any]:
        value: dict[str, Any] = self.call("GET", "/status").raise_for_status().json()
        return value

    def ready(self) -> None:
        """Wait until both student slots serve what they should."""

        def both() -> bool:
            slots = self.status()["slots"]
            return all(
                slots[s]["ready"] and slots[s]["version"] == slots[s]["desired"] for s in ("student-a", "student-b")
            )

        eventually(both)

    def understudy(self, *words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "understudy", *words, "--state", str(self.state.root)]
        return subprocess.run(command, cwd=ROOT, env=self.environment(), capture_output=True, text=True, timeout=90)

    def stop(self) -> None:
        self._end.set()
        self._obeying.join(5)
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(20)

    def _obey(self) -> None:
        while not self._end.is_set():
            self.fleet.obey()
            self._end.wait(0.1)


@pytest.fixture(scope="module")
def control(tmp_path_factory: pytest.TempPathFactory, redis_server: RedisServer) -> Iterator[Control]:
    redis_server.start()
    with contextlib.closing(redis.Redis.from_url(redis_server.url)) as client:
        client.flushall()
    made = Control(StateDir(tmp_path_factory.mktemp("control")), redis_server.url)
    try:
        made.ready()
        yield made
    finally:
        made.stop()
