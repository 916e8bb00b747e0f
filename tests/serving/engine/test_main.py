"""One agent for each slot."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from serving.engine.main import main, slot_lock
from tests.waiting import LONG
from understudy.errors import Conflict
from understudy.state import StateDir


def test_a_second_agent_of_a_slot_is_refused_by_name_and_not_once_the_first_is_gone(state_dir: StateDir) -> None:
    with slot_lock("student-b", state_dir), slot_lock("student-a", state_dir):
        with pytest.raises(Conflict, match=rf"student-b .* process id {os.getpid()}"):
            main(["student-b", "--state", str(state_dir.root)])
        code = [sys.executable, "-m", "understudy", "engine", "student-b", "--state", str(state_dir.root)]
        done = subprocess.run(code, capture_output=True, text=True, timeout=LONG, check=False)
        assert (done.returncode, f"process id {os.getpid()}" in done.stderr) == (1, True)
    with slot_lock("student-b", state_dir):
        pass
