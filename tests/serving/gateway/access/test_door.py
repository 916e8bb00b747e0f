"""Where a gateway may listen without a key."""

from __future__ import annotations

import pytest

from serving.gateway.access.door import only_this_machine, open_door
from serving.gateway.config import GatewayConfig


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.10", "::1", "localhost", "::ffff:127.0.0.1"])
def test_this_machine_alone(host: str) -> None:
    assert only_this_machine(host)
    assert open_door(host, GatewayConfig(), keyed=False) == ""


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.1.2.3", "192.168.0.7", "fe80::1", "no.such.name.invalid"])
def test_beyond_it_a_key_is_needed_or_a_word(host: str) -> None:
    refusal = open_door(host, GatewayConfig(), keyed=False)
    assert "understudy keys create" in refusal
    assert "gateway.allow_anybody" in refusal
    assert host in refusal
    assert open_door(host, GatewayConfig(), keyed=True) == ""
    assert open_door(host, GatewayConfig(allow_anybody=True), keyed=False) == ""
