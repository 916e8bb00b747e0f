"""What a gateway looks for before it starts."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from deploy.routing.document import RoutingDocument
from deploy.routing.stores import open_routing
from serving.gateway.routing import model_names
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


def test_named_engines_stand_in_until_the_state_directory_has_a_routing_document(
    state_dir: StateDir, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    config = Config({"engines": {"teacher": {"url": "http://127.0.0.1:9/v1", "model": "m"}}})
    parts = build(config, state_dir, True, "http://127.0.0.1:1", "g")
    assert parts.outbox is not None
    parts.outbox.close(1)
    assert "teacher" in model_names(parts.gateway.snapshot.document)
    assert "has no routing document: the engines of the configuration answer" in caplog.text
    open_routing(state_dir, None).documents.publish(RoutingDocument(epoch=3))
    assert asyncio.run(parts.gateway.refresh())
    assert parts.gateway.snapshot.document.epoch == 3
    assert "teacher" not in model_names(parts.gateway.snapshot.document)
    again = build(config, state_dir, True, "http://127.0.0.1:1", "h")
    assert again.outbox is not None
    again.outbox.close(1)
    assert f"following the routing document of {state_dir.root}" in caplog.text
