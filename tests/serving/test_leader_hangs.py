"""Two real controllers on one state directory; the leader is stopped, as by a frozen machine, and wakes later."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx

from deploy.routing.stores import open_routing
from deploy.witness.collect import verify
from tests.deploy.fleet import Fleet, register
from tests.serving.conftest import ROOT
from tests.waiting import LONG, eventually, hold
from trials.system import free_ports
from understudy.state import StateDir

WITHIN = 10.0 if os.environ.get("UNDERSTUDY_FULL") == "1" else 60.0
"""Seconds within which leadership moves; at full counts, where nothing runs beside it, as soon as is promised."""


@contextmanager
def controller(state: StateDir, name: str, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """A controller process, which writes its log beside the state directory."""
    config = state.root.parent / f"{name}.yaml"
    config.write_text(json.dumps({"control": {"port": port}, "redis": {"url": "redis://127.0.0.1:1/0"}}))
    command = [sys.executable, "-m", "understudy", "controller", "--config", str(config), "--state", str(state.root)]
    with log_of(state, name).open("wb") as log:
        process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log)
        try:
            yield process
        finally:
            process.kill()
            process.wait(LONG)


def log_of(state: StateDir, name: str) -> Path:
    return state.root.parent / f"{name}.log"


def fence(state: StateDir) -> int:
    found = open_routing(state, None).documents.read()
    return -1 if found is None else found.fence


def test_leadership_moves_and_what_the_former_leader_writes_later_does_not_count(state_dir: StateDir) -> None:
    for content in ("v1", "v2"):
        register(state_dir, content)
    (port,) = free_ports(1)
    fleet = Fleet(state_dir)
    with ExitStack() as stack:
        first = stack.enter_context(controller(state_dir, "first", port))
        eventually(lambda: fence(state_dir) == 1, 60, "the first document")
        fleet.obey()
        second = stack.enter_context(controller(state_dir, "second", port))
        eventually(lambda: "another controller leads" in log_of(state_dir, "second").read_text(), 60, "a standby")
        hold(first.pid)
        eventually(lambda: fence(state_dir) == 2, WITHIN, "a document of the second leader")
        kept = (state_dir.registry / "rollout.json").resolve()
        assert kept.name == "rollout.2.json"
        epoch = open_routing(state_dir, None).documents.highest_epoch()
        first.send_signal(signal.SIGCONT)
        assert first.wait(LONG) == 1, "the former leader ends"
        fleet.obey()
        answers = lambda: httpx.get(f"http://127.0.0.1:{port}/admin/v1/openapi.json", timeout=60).is_success  # noqa: E731
        eventually(answers, what="the control plane of the second leader")
        later = [json.loads(path.read_bytes()) for path in state_dir.routing.glob("epoch-*.json")]
        assert {document["fence"] for document in later if document["epoch"] > epoch} <= {2}
        assert fence(state_dir) == 2
        assert (state_dir.registry / "rollout.json").resolve() == kept
        assert second.poll() is None
    verify(state_dir)
