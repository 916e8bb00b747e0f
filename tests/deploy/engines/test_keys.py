"""The two keys of the engines."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from deploy.engines.keys import control_key, engine_key, known_engine_key
from understudy.state import StateDir


def test_keys_are_made_once_private_and_different(tmp_path: Path) -> None:
    state = StateDir(tmp_path)
    with ThreadPoolExecutor(8) as pool:
        made = set(pool.map(lambda _: engine_key(state), range(16)))
    assert len(made) == 1
    assert control_key(state) not in made
    assert stat.S_IMODE(state.engine_key.stat().st_mode) == 0o600
    assert sorted(p.name for p in state.run.iterdir()) == ["engine-control.key", "engine.key"]


def test_the_environment_goes_before_the_file_for_those_who_make_a_key_and_those_who_do_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("UNDERSTUDY_ENGINE_KEY", raising=False)
    state = StateDir(tmp_path)
    assert known_engine_key(state.engine_key) == ""
    made = engine_key(state)
    assert known_engine_key(state.engine_key) == made
    monkeypatch.setenv("UNDERSTUDY_ENGINE_KEY", "given")
    assert (engine_key(state), known_engine_key(state.engine_key)) == ("given", "given")
