"""One `up` for a state directory."""

from __future__ import annotations

from pathlib import Path

from understudy.process.lock import ProcessLock


class StateLock(ProcessLock):
    """Exclusive hold of `RUN/up.lock`."""

    def __init__(self, run: Path) -> None:
        refusal = (
            f"the state directory {run.parent} is in use by `understudy up` with process id {{pid}}: "
            "stop that one, or give another --state"
        )
        super().__init__(run / "up.lock", refusal)
