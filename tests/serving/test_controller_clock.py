"""A real controller whose clock somebody sets by an hour, on and back: nothing that is under way is ended by it."""

from __future__ import annotations

import json
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx

from bench.faults.parts import Victim, faketime_library
from deploy.audit.log_file import FileAuditLog
from serving.control.replies.status import StatusReply
from tests.deploy.fleet import Fleet, register, round_at_gate
from tests.shared_data import lacking, need_program
from tests.waiting import eventually
from trials.system import free_ports
from understudy.state import StateDir

HOUR = 3600
STEP = {"share": 0.25, "min_exposures": 50, "max_wait_seconds": 600, "on_timeout": "promote"}


class SetClock:
    """The controller of `state`, whose clock a file sets, and a fleet on the machine's clock that beats in files."""

    def __init__(self, state: StateDir, redis_url: str) -> None:
        for version in ("v1", "v2"):
            register(state, version)
        self.state = state
        self.fleet = Fleet(state)
        (port,) = free_ports(1)
        self._url = f"http://127.0.0.1:{port}/admin/v1"
        config = state.root.parent / "set-clock.json"
        given = {
            "control": {"port": port}, "redis": {"url": redis_url}, "rollout": {"steps": [STEP], "slot_grace": 0},
            "gate": {"general_rows": 5, "hard_rows": 5},
        }  # fmt: skip
        config.write_text(json.dumps(given))
        command = [
            sys.executable,
            "-m",
            "understudy",
            "controller",
            "--config",
            str(config),
            "--state",
            str(state.root),
        ]
        self._controller = Victim("controller", command, state.root.parent, faketime_library())
        self._end = threading.Event()
        self._obeying = threading.Thread(target=self._obey, daemon=True)

    def __enter__(self) -> SetClock:
        self._controller.start()
        self._obeying.start()
        eventually(lambda: self.status().slots["student-a"].ready, 60, "a stable version")
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._obeying.join(60)
        self._controller.kill()

    def call(self, method: str, path: str, **more: Any) -> httpx.Response:
        headers = {"authorization": f"Bearer {self.state.admin_token.read_text().strip()}"}
        return httpx.request(method, self._url + path, headers=headers, timeout=60, **more).raise_for_status()

    def status(self) -> StatusReply:
        return StatusReply.model_validate_json(self.call("GET", "/status").content)

    def set(self, seconds: int) -> StatusReply:
        """Set the controller's clock; what it says once it has ticked by that clock."""
        self._controller.clock.write_text(f"{seconds:+d}\n")
        for path in ("/freeze", "/resume", "/freeze", "/resume"):  # each ticks before it answers
            self.call("POST", path, json={"what": "learning"})
        *_, last = FileAuditLog(self.state.audit).entries()
        assert abs(last["at"] - time.time() - seconds) < HOUR / 2, "its clock was not set"
        eventually(lambda: all(slot.reports for slot in self.status().slots.values()), what="a beat of every slot")
        return self.status()

    def _obey(self) -> None:
        while not self._end.is_set():
            self.fleet.obey()
            self._end.wait(0.1)


def test_an_hour_on_and_back_leaves_load_step_and_rollback_alone(state_dir: StateDir, redis_url: str) -> None:
    need_program("faketime")
    if not faketime_library():
        lacking("the library of `faketime` is not where Debian puts it")
    with SetClock(state_dir, redis_url) as control:
        control.fleet.slow |= {"v3", "v4"}
        assert round_at_gate(state_dir, 0.3, 0.0, True) == "v3"
        eventually(lambda: (rollout := control.status().rollout) is not None and rollout.step == -1)
        for seconds in (-HOUR, 0, HOUR):
            assert (loading := control.set(seconds).rollout) is not None
            assert (loading.version, loading.step) == ("v3", -1)
        control.fleet.slow -= {"v3"}
        eventually(lambda: (rollout := control.status().rollout) is not None and rollout.step == 0)
        for seconds in (0, -HOUR, HOUR):
            assert (step := control.set(seconds).rollout) is not None
            assert (step.version, step.step) == ("v3", 0)
        assert register(state_dir, "fourth") == "v4"
        with ThreadPoolExecutor(1) as pool:
            answer = pool.submit(control.call, "POST", "/rollback", json={"version": "v4"})
            eventually(lambda: control.status().operation is not None)
            for seconds in (0, -HOUR, HOUR):
                assert (under_way := control.set(seconds).operation) is not None
                assert under_way.target == "v4"
            control.fleet.slow.clear()
            assert answer.result().json()["to"] == "v4"
        assert control.set(0).live.student == "v4"
