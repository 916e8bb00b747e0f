"""What a killed run left is found by the ledger and ended, and nothing else is."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from serving.up.supervise.leftovers import Ledger
from tests.serving.up.supervise.programs import SLEEP, STUBBORN, alive
from tests.waiting import eventually


def test_children_end_when_the_supervisor_is_killed_and_the_ledger_finds_the_rest(tmp_path: Path) -> None:
    script = (
        "import asyncio, sys\nfrom pathlib import Path\n"
        "from serving.up.supervise.leftovers import Ledger\nfrom serving.up.supervise.process import Role\n"
        "from serving.up.supervise.restarts import Policy\nfrom serving.up.supervise.supervisor import Supervisor\n"
        f"folder = Path({str(tmp_path)!r})\n"
        "async def run():\n"
        "    s = Supervisor(folder / 'logs', Ledger(folder), Policy(), 3)\n"
        f"    await s.start(Role('mild', {SLEEP!r}, 0))\n"
        f"    await s.start(Role('stubborn', {STUBBORN!r}, 0))\n"
        "    print(s.pids['mild'], s.pids['stubborn'], flush=True)\n"
        "    await asyncio.sleep(60)\n"
        "asyncio.run(run())\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    mild, stubborn = (int(word) for word in parent.stdout.readline().split())
    eventually(lambda: (tmp_path / "logs" / "stubborn.log").read_text().strip().isdigit(), what="deafness to SIGTERM")
    parent.kill()
    parent.wait()
    parent.stdout.close()
    eventually(lambda: not alive(mild))
    assert alive(stubborn)
    assert Ledger(tmp_path).reap(seconds=0.3) == ["stubborn"]
    eventually(lambda: not alive(stubborn))


def test_the_ledger_never_touches_a_reused_process_id(tmp_path: Path) -> None:
    (tmp_path / "processes.json").write_text(f'{{"other": [{os.getpid()}, 1.0]}}')
    assert Ledger(tmp_path).reap() == []
