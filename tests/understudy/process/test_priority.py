"""Yielding the CPU reaches the scheduler's unit, the session, and never raises priority."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.waiting import LONG

AUTOGROUP = Path("/proc/self/autogroup")

OURS = os.getpriority(os.PRIO_PROCESS, 0)
MORE = min(19, OURS + 12)
"""What a child asks for, who then asks for less; the tests may run at any priority."""
CODE = f"""
import os
from pathlib import Path
from understudy.process.priority import AUTOGROUP, yield_cpu
yield_cpu({MORE})
yield_cpu({OURS})
print(os.getpriority(os.PRIO_PROCESS, 0))
print(AUTOGROUP.read_text() if AUTOGROUP.exists() else "")
"""


@pytest.mark.parametrize("leads", [True, False])
def test_the_process_yields_and_its_session_too_where_it_leads_one(leads: bool) -> None:
    before = nice_of(AUTOGROUP.read_text() if AUTOGROUP.exists() else "")
    process, _, session = subprocess.run(
        [sys.executable, "-c", CODE], capture_output=True, text=True, check=True, timeout=LONG, start_new_session=leads
    ).stdout.partition("\n")
    assert process == str(MORE)
    after = nice_of(session)
    assert after == (before if not leads or after is None else MORE)


def nice_of(autogroup: str) -> int | None:
    """The session's nice value, `None` where the kernel has no autogroups or this session is in none."""
    return int(autogroup.split()[-1]) if autogroup.strip() else None
