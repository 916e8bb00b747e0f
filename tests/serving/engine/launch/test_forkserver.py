"""What the fork server is asked wrongly, and by whom."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest

from serving.engine.launch.fork_client import fork_socket
from tests.engines import Engines

pytestmark = [pytest.mark.engines, pytest.mark.timeout(400)]


def ask(path: Path, raw: bytes) -> dict[str, object]:
    """One line to the fork server, one object back."""
    with socket.socket(socket.AF_UNIX) as peer:
        peer.settimeout(60)
        peer.connect(str(path))
        peer.sendall(raw + b"\n")
        answer: dict[str, object] = json.loads(peer.makefile().readline())
        return answer


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"[1]",
        b'{"op": "dance"}',
        b'{"op": "fork"}',
        b'{"op": "fork", "spec": {"slot": 1}}',
        b'{"op": "kill"}',
    ],
)
def test_the_fork_server_refuses_nonsense_and_serves_on(engines: Engines, raw: bytes) -> None:
    path = fork_socket(engines.state)
    assert ask(path, raw)["ok"] is False
    assert ask(path, b'{"op": "list"}')["ok"] is True


def test_the_fork_servers_socket_is_its_owners_alone(engines: Engines) -> None:
    assert fork_socket(engines.state).stat().st_mode & 0o077 == 0
