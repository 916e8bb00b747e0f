"""Where the fork server listens."""

from __future__ import annotations

from pathlib import Path

from serving.engine.launch.fork_client import LONGEST, fork_socket
from understudy.state import StateDir


def test_a_long_state_directory_still_has_a_socket(tmp_path: Path) -> None:
    near, far = StateDir(Path("/s")), StateDir(tmp_path / ("长" * 40))
    assert fork_socket(near) == Path("/s/run/fork.sock")
    assert len(str(fork_socket(far)).encode()) <= LONGEST
    assert fork_socket(far) != fork_socket(StateDir(tmp_path / ("短" * 40)))
