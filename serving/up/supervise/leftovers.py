"""What a killed `up` may have left behind: the ledger of its processes, ended before a new one starts."""

from __future__ import annotations

import json
from pathlib import Path

import psutil

from serving.up.supervise.process import kill_group
from understudy.files import read_json, write_atomic


class Ledger:
    """File `name` in RUN: role -> [process id, start time]; a reused process id is never touched."""

    def __init__(self, run: Path, name: str = "processes.json") -> None:
        self._path = run / name

    def note(self, pids: dict[str, int]) -> None:
        """Record the processes that run now."""
        rows = {}
        for name, pid in pids.items():
            try:
                rows[name] = [pid, psutil.Process(pid).create_time()]
            except psutil.Error:
                continue
        write_atomic(self._path, json.dumps(rows))

    def clear(self) -> None:
        """Nothing of ours runs any more."""
        self._path.unlink(missing_ok=True)

    def reap(self, seconds: float = 5.0) -> list[str]:
        """End what still runs of the processes recorded; returns their names. Only under the state's lock."""
        found: dict[str, psutil.Process] = {}
        for name, (pid, created) in self._rows().items():
            try:
                process = psutil.Process(pid)
                ours = abs(process.create_time() - created) < 0.05
                if ours and process.status() != psutil.STATUS_ZOMBIE:
                    process.terminate()
                    found[name] = process
            except psutil.Error:
                continue
        _, alive = psutil.wait_procs(list(found.values()), timeout=seconds)
        for process in alive:
            kill_group(process.pid)
        self.clear()
        return sorted(found)

    def _rows(self) -> dict[str, tuple[int, float]]:
        try:
            return {name: (int(pid), float(at)) for name, (pid, at) in read_json(self._path).items()}
        except (OSError, ValueError, TypeError, AttributeError):
            return {}
