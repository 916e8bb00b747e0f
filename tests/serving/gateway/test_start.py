"""What a gateway looks for before it starts."""

from __future__ import annotations

from pathlib import Path

import pytest

from serving.gateway.wiring import build
from understudy.config import Config
from understudy.errors import ConfigError
from understudy.state import StateDir


@pytest.mark.parametrize("role", ["teacher", "student", "embeddings"])
def test_a_key_whose_variable_is_not_set_is_refused_at_the_start(
    role: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MISSING_KEY", raising=False)
    engine = {"url": "http://127.0.0.1:9/v1", "model": "m", "api_key_env": "MISSING_KEY"}
    config = Config({"engines": {role: engine}})
    state = StateDir(tmp_path)
    with pytest.raises(ConfigError) as refused:
        build(config, state, False, "http://127.0.0.1:1", "g")
    assert f"engines.{role}.api_key_env" in refused.value.message
    assert "MISSING_KEY" in refused.value.message
    assert not state.spool.exists()
