"""A real controller process on a Redis, whose fleet obeys; and an event loop for engines and gateways."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import redis

from deploy.routing.document import STUDENT_SLOTS
from feedback.store.server import RedisServer, free_port
from serving.control.replies.status import StatusReply
from tests.deploy.fleet import Fleet, register
from tests.waiting import LONG, eventually
from understudy.state import StateDir

ROOT = Path(__file__).resolve().parents[2]
STEP = '[{"share": 0.25, "min_exposures": 5, "max_wait_seconds": 600, "on_timeout": "hold"}]'


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
        self.log = state.root / "controller.log"
        self._started: list[subprocess.Popen[bytes]] = []
        self.process = self.start()

    def environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "UNDERSTUDY_CONTROL__PORT": str(self.port),
            "UNDERSTUDY_REDIS__URL": self.redis_url,
            "UNDERSTUDY_ROLLOUT__STEPS": STEP,
            "UNDERSTUDY_GATE__GENERAL_ROWS": "5",
            "UNDERSTUDY_GATE__HARD_ROWS": "5",
            "UNDERSTUDY_ADMIN_URL": self.url,
        }

    def start(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "understudy", "controller", "--state", str(self.state.root)]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, cwd=ROOT, env=self.environment(), stderr=log)
        self._started.append(self.process)
        return self.process

    def call(self, method: str, path: str, **more: Any) -> httpx.Response:
        headers = {"authorization": f"Bearer {self.state.admin_token.read_text().strip()}"}
        return httpx.request(method, f"{self.url}/admin/v1{path}", headers=headers, timeout=60, **more)

    def status(self) -> StatusReply:
        return StatusReply.model_validate_json(self.call("GET", "/status").raise_for_status().content)

    def ready(self) -> None:
        """Wait until both student slots serve what they should."""

        def both() -> bool:
            slots = [self.status().slots[name] for name in STUDENT_SLOTS]
            return all(slot.ready and slot.version == slot.desired for slot in slots)

        eventually(both)

    def understudy(self, *words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "understudy", *words, "--state", str(self.state.root)]
        return subprocess.run(command, cwd=ROOT, env=self.environment(), capture_output=True, text=True, timeout=LONG)

    def stop(self) -> None:
        self._end.set()
        self._obeying.join(60)
        for process in self._started:
            process.terminate()
        for process in self._started:
            process.wait(LONG)

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


@pytest.fixture(scope="module")
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    """An event loop in a thread, for engines and gateways alike."""
    made = asyncio.new_event_loop()
    thread = threading.Thread(target=made.run_forever, daemon=True)
    thread.start()
    yield made
    made.call_soon_threadsafe(made.stop)
    thread.join(60)
