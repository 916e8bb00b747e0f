"""With UNDERSTUDY_LOG_JSON=1 every line of a role's standard error is an object, from its start to its end."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from feedback.store.server import free_port
from tests.serving.conftest import ROOT
from tests.waiting import eventually
from understudy.state import StateDir

BEGUN = {
    "serve": "serving on ",
    "controller": "leading; control plane at ",
    "worker": "no Redis is known",
    "train": "the trainer runs on ",
}


@pytest.mark.parametrize("role", BEGUN)
def test_every_line_of_a_role_is_an_object(role: str, state_dir: StateDir, tmp_path: Path) -> None:
    port, log = free_port(), tmp_path / "log"
    asked = {"UNDERSTUDY_LOG_JSON": "1", "UNDERSTUDY_CONTROL__PORT": str(port), "UNDERSTUDY_GATEWAY__PORT": str(port)}
    state_dir.root.mkdir(exist_ok=True)
    command = [sys.executable, "-m", "understudy", role, "--state", str(state_dir.root)]
    with log.open("wb") as file:
        started = subprocess.Popen(command, cwd=ROOT, env={**os.environ, **asked}, stderr=file)
    try:
        eventually(lambda: BEGUN[role] in log.read_text(), what="the start")
        if role == "controller":
            send_no_http(port)
            eventually(lambda: "Invalid HTTP request" in log.read_text(), what="what its server says")
    finally:
        started.terminate()
        code = started.wait(90)
    told = [json.loads(line) for line in log.read_text().splitlines()]
    assert code == 0
    assert all({"at", "level", "logger", "message"} <= set(line) for line in told), told
    assert any(line["message"].startswith(BEGUN[role]) for line in told)


def send_no_http(port: int) -> None:
    """A request that uvicorn warns of."""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as sock:
        sock.sendall(b"nonsense\r\n\r\n")
        sock.recv(1)
