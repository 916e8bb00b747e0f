"""Keys of clients and their tenants."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from feedback.store.server import free_port
from serving.gateway.access.key_file import create, revoke
from serving.gateway.config import ApiKey, GatewayConfig
from serving.gateway.keys import key_hmac
from serving.gateway.metrics import Metrics
from tests.serving.gateway.conftest import Client, Running, both, document
from tests.serving.gateway.test_main import start_gateway
from tests.serving.gateway.upstream import Engine
from tests.shared_data import need_program
from tests.waiting import LONG, eventually
from understudy.config import Config
from understudy.errors import ConfigError
from understudy.state import StateDir

Serve = Callable[..., Running]


Make = Callable[..., Engine]


def test_keys_are_asked_for_once_some_are_configured(serve: Serve, engine: Make) -> None:
    keys = (ApiKey(hmac=key_hmac("s3cret", "sk-1"), tenant="shop"),)
    running = serve(document(both(engine)), key_secret="s3cret", api_keys=keys)
    assert running.client.chat()[0] == 401
    assert running.client.chat(headers={"authorization": "Bearer sk-2"})[0] == 401
    assert running.client.send("GET", "/v1/models")[0] == 401
    assert running.client.chat(headers={"authorization": "Bearer sk-1"})[0] == 200
    assert running.spool.raw[-1].ask.tenant == "shop"


def test_keys_without_a_secret_of_ones_own_are_refused_with_the_command_that_hashes_one(tmp_path: Path) -> None:
    need_program("openssl")
    with pytest.raises(ConfigError) as refused:
        Config({"gateway": {"api_keys": [{"hmac": "0" * 64}]}}).section(GatewayConfig)
    command = refused.value.message.split("`")[-2]
    environment = {"KEY": "sk-1 $x", "KEY_SECRET": "a b", "PATH": os.environ["PATH"]}
    printed = subprocess.run(["sh", "-c", command], env=environment, capture_output=True, text=True, check=True).stdout
    assert key_hmac("a b", "sk-1 $x") in printed


@pytest.mark.timeout(120)
def test_a_gateway_that_others_reach_does_not_start_without_a_key_and_follows_those_that_are_made(
    engine: Make, tmp_path: Path, loop: object
) -> None:
    config = tmp_path / "u.yaml"
    config.write_text(f"engines:\n  teacher: {{url: '{engine('teacher').url}', model: big}}\n", "utf-8")
    state = StateDir(tmp_path / "state")
    port = free_port()
    words = ("--state", str(state.root), "--host", "0.0.0.0", "--port", str(port), "--gateway-only")
    assert start_gateway(config, tmp_path, *words).wait(LONG) == 2
    assert "understudy keys create" in (tmp_path / "gateway.log").read_text("utf-8")
    _, key = create(state.clients, "shop", "one")
    process = start_gateway(config, tmp_path, *words)
    try:
        client = Client(port, Metrics())
        eventually(lambda: client.send("GET", "/ready")[0] == 200)
        assert client.chat()[0] == 401
        assert client.chat(headers={"authorization": f"Bearer {key}"})[0] == 200
        _, other = create(state.clients, "bank", "two")
        eventually(lambda: client.chat(headers={"authorization": f"Bearer {other}"})[0] == 200)
        revoke(state.clients, "one")
        eventually(lambda: client.chat(headers={"authorization": f"Bearer {key}"})[0] == 401)
    finally:
        process.terminate()
        assert process.wait(LONG) == 0
    for secret in (key, other):
        assert secret not in (tmp_path / "gateway.log").read_text("utf-8")
