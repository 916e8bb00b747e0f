"""One `up` for a state directory."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from serving.up.supervise.lock import StateLock
from understudy.errors import Conflict


def test_the_lock_is_refused_with_the_holder_and_freed_by_its_death(tmp_path: Path) -> None:
    script = (
        "import time\nfrom pathlib import Path\nfrom serving.up.supervise.lock import StateLock\n"
        f"with StateLock(Path({str(tmp_path)!r})):\n    print('held', flush=True)\n    time.sleep(60)\n"
    )
    holder = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    assert holder.stdout.readline().strip() == "held"
    with pytest.raises(Conflict, match=str(holder.pid)), StateLock(tmp_path):
        pass
    holder.kill()
    holder.wait()
    holder.stdout.close()
    with StateLock(tmp_path):
        assert (tmp_path / "up.lock").read_text().strip() == str(os.getpid())
