"""What every launcher shares: the specification that travels, and signals to an engine."""

from __future__ import annotations

import json
import signal
import subprocess

import psutil
import pytest

from serving.engine.launch.launcher import LaunchSpec, signal_engine
from tests.waiting import eventually

SPEC = LaunchSpec("teacher", ("--port", "1"), {"KEY": "secret"}, (0, 1), "/l/engine.log")


def test_a_specification_survives_the_socket_and_shows_no_key() -> None:
    assert LaunchSpec.from_json(json.loads(json.dumps(SPEC.to_json()))) == SPEC
    assert "secret" not in repr(SPEC)


def test_half_a_specification_is_none() -> None:
    with pytest.raises(KeyError):
        LaunchSpec.from_json({"slot": "teacher"})


@pytest.mark.parametrize(("number", "left"), [(signal.SIGTERM, 1), (signal.SIGKILL, 0)])
def test_a_kill_ends_the_group_and_anything_else_the_server_alone(number: signal.Signals, left: int) -> None:
    server = subprocess.Popen(["sh", "-c", "sleep 600 & wait"], start_new_session=True)
    eventually(lambda: psutil.Process(server.pid).children(), what="a child")
    (child,) = psutil.Process(server.pid).children()
    signal_engine(server.pid, number)
    assert server.wait(60) == -number
    _, alive = psutil.wait_procs([child], 60 if left == 0 else 0.3)
    assert len(alive) == left
    for one in alive:
        one.kill()


def test_a_signal_to_what_is_gone_is_no_error() -> None:
    gone = subprocess.Popen(["true"], start_new_session=True)
    gone.wait(60)
    assert not psutil.pid_exists(gone.pid)
    for number in (signal.SIGTERM, signal.SIGKILL):
        signal_engine(gone.pid, number)
