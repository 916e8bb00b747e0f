"""What keeps `up` from starting is said before anything starts, with what to change."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from deploy.routing.document import SLOTS
from serving.gateway.access.key_file import create, path_of
from serving.gateway.config import GatewayConfig
from serving.up.config import UpConfig
from serving.up.preflight import (
    NotReady,
    Port,
    listeners,
    missing_models,
    port_in_use,
    require,
    shared,
    too_little_memory,
    unlocked,
)
from understudy.config import Config
from understudy.state import StateDir

OUTSIDE = {"url": "http://127.0.0.1:9001/v1", "model": "big"}


PORTS = [f"engines.ports.{slot}" for slot in SLOTS]


def test_a_port_in_use_names_its_holder_and_the_setting() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        number = taken.getsockname()[1]
        (said,) = port_in_use(Port("127.0.0.1", number, "gateway.port"))
    assert str(number) in said
    assert "gateway.port" in said
    assert "UNDERSTUDY_GATEWAY__PORT" in said
    assert str(os.getpid()) in said
    assert list(port_in_use(Port("127.0.0.1", number, "gateway.port"))) == []


def test_two_settings_that_name_one_port_are_told() -> None:
    ports = [Port("127.0.0.1", 5, "gateway.port"), Port("127.0.0.1", 6, "x"), Port("127.0.0.1", 5, "control.port")]
    assert list(shared(ports)) == ["gateway.port and control.port are both 5: give each a port of its own"]
    config = Config({"gateway": {"port": 5}, "control": {"port": 5}, "up": {"min_memory_mib": 0}})
    with pytest.raises(NotReady, match="are both 5"):
        require(StateDir(Path("/nonexistent")), listeners(config), config)


def test_too_little_memory_says_how_much_is_needed_and_free() -> None:
    (said,) = too_little_memory(1 << 30)
    assert str(1 << 30) in said
    assert list(too_little_memory(0)) == []


def test_missing_models_are_named_for_a_fresh_state_only(state_dir: StateDir) -> None:
    without = UpConfig(application="no_such_application")
    (said,) = missing_models(state_dir, without)
    assert "no_such_application" in said
    kept = state_dir.versions / "v1"
    kept.mkdir(parents=True)
    (kept / "READY").touch()
    assert list(missing_models(state_dir, without)) == []


def test_without_an_application_a_fresh_state_asks_for_models_of_ones_own(state_dir: StateDir) -> None:
    (said,) = missing_models(state_dir, UpConfig(application=None))
    assert "understudy models import DIR --as teacher" in said
    assert str(state_dir.root) in said


def test_all_findings_come_at_once(state_dir: StateDir) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(NotReady) as refused:
            require(
                state_dir,
                [Port("127.0.0.1", taken.getsockname()[1], "control.port")],
                Config({"up": {"min_memory_mib": 1 << 30}}),
            )
    assert "control.port" in refused.value.message
    assert "min_memory_mib" in refused.value.message


def test_a_gateway_that_others_reach_needs_a_key(state_dir: StateDir) -> None:
    (said,) = unlocked(state_dir, GatewayConfig(host="0.0.0.0"))
    assert "understudy keys create" in said
    create(state_dir.clients, "shop")
    assert list(unlocked(state_dir, GatewayConfig(host="0.0.0.0"))) == []
    path_of(state_dir.clients).write_text("{", "utf-8")
    (said,) = unlocked(state_dir, GatewayConfig(host="0.0.0.0"))
    assert "cannot be read" in said


def test_a_teacher_of_others_needs_no_port() -> None:
    ports = listeners(Config({"engines": {"teacher": OUTSIDE}}))
    assert [port.setting for port in ports] == ["gateway.port", "control.port", *PORTS[1:]]
