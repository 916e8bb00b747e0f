"""A process tied to its parent ends with it, however the parent dies."""

from __future__ import annotations

import subprocess
import sys

import psutil

from tests.waiting import eventually

PARENT = """
import os, subprocess, sys, time
from understudy.process.lifeline import die_with_parent
parent = os.getpid()
child = subprocess.Popen(["sleep", "60"], preexec_fn=lambda: die_with_parent(parent))
print(child.pid, flush=True)
time.sleep(60)
"""


def test_the_child_of_a_killed_parent_is_killed() -> None:
    with subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = psutil.Process(int(parent.stdout.readline()))
        assert child.is_running()
        parent.kill()
    eventually(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE, 60, "the end of the child")
