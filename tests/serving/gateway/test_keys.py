"""Keys of clients and their tenants."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from serving.gateway.config import ApiKey, GatewayConfig
from serving.gateway.keys import key_hmac
from tests.serving.gateway.conftest import Running, both, document
from tests.serving.gateway.upstream import Engine
from tests.shared_data import need_program
from understudy.config import Config
from understudy.errors import ConfigError

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
