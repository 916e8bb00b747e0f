"""The two keys of the engines."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from deploy.engines.keys import control_key, engine_key
from understudy.state import StateDir


def test_keys_are_made_once_private_and_different(tmp_path: Path) -> None:
    state = StateDir(tmp_path)
    with ThreadPoolExecutor(8) as pool:
        made = set(pool.map(lambda _: engine_key(state), range(16)))
    assert len(made) == 1
    assert control_key(state) not in made
    assert stat.S_IMODE(state.engine_key.stat().st_mode) == 0o600
    assert sorted(p.name for p in state.run.iterdir()) == ["engine-control.key", "engine.key"]
