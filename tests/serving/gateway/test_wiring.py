"""What a gateway looks for before it starts."""

from __future__ import annotations

import asyncio
import os
import subprocess
from pathlib import Path

import pytest

from deploy.routing.document import RoutingDocument
from deploy.routing.stores import open_routing
from serving.gateway.config import GatewayConfig
from serving.gateway.keys import key_hmac
from serving.gateway.routing import can_serve
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
    assert can_serve(parts.gateway.snapshot.document)
    assert "has no routing document: the engines of the configuration answer" in caplog.text
    open_routing(state_dir, None).documents.publish(RoutingDocument(epoch=3))
    assert asyncio.run(parts.gateway.refresh())
    assert parts.gateway.snapshot.document.epoch == 3
    assert not can_serve(parts.gateway.snapshot.document)
    again = build(config, state_dir, True, "http://127.0.0.1:1", "h")
    assert again.outbox is not None
    again.outbox.close(1)
    assert f"following the routing document of {state_dir.root}" in caplog.text


def test_keys_without_a_secret_of_ones_own_are_refused_with_the_command_that_hashes_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as refused:
        Config({"gateway": {"api_keys": [{"hmac": "0" * 64}]}}).section(GatewayConfig)
    command = refused.value.message.split("`")[-2]
    environment = {"KEY": "sk-1 $x", "KEY_SECRET": "a b", "PATH": os.environ["PATH"]}
    printed = subprocess.run(["sh", "-c", command], env=environment, capture_output=True, text=True, check=True).stdout
    assert key_hmac("a b", "sk-1 $x") in printed
