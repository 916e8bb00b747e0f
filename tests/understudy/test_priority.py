"""Yielding the CPU reaches the scheduler's unit, the session, and never raises priority."""

import subprocess
import sys
from pathlib import Path

import pytest

CODE = """
import os
from understudy.priority import yield_cpu
yield_cpu(12)
yield_cpu(3)
print(os.getpriority(os.PRIO_PROCESS, 0))
print(open("/proc/self/autogroup").read().split()[-1] if os.path.exists("/proc/self/autogroup") else 12)
"""


@pytest.mark.parametrize("leads", [True, False])
def test_the_process_yields_and_its_session_too_where_it_leads_one(leads: bool) -> None:
    before = Path("/proc/self/autogroup")
    out = subprocess.run(
        [sys.executable, "-c", CODE], capture_output=True, text=True, check=True, timeout=30, start_new_session=leads
    ).stdout.split()
    assert out[0] == "12"
    if before.exists():
        assert (out[1] == "12") is leads or before.read_text().split()[-1] == "12"
