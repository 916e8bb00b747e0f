"""Who may read metrics."""

from __future__ import annotations

import stat

import pytest

from understudy.state import StateDir
from understudy.telemetry.door import MetricsDoor, is_loopback, metrics_door, metrics_token


@pytest.mark.parametrize("peer", ["127.0.0.1", "127.8.9.1", "::1", "::ffff:127.0.0.1"])
def test_this_machine_is_let_through_unless_a_proxy_stands_between(peer: str) -> None:
    door = MetricsDoor(lambda: "right")
    assert door.lets(peer, {})
    assert not door.lets(peer, {"x-forwarded-for": "127.0.0.1"})
    assert not door.lets(peer, {"forwarded": "for=127.0.0.1"})


@pytest.mark.parametrize("peer", ["192.0.2.7", "::2", "::ffff:192.0.2.7", "localhost", "", None])
def test_others_need_the_token(peer: str | None) -> None:
    door = MetricsDoor(lambda: "right")
    assert not door.lets(peer, {})
    assert not door.lets(peer, {"authorization": "Bearer wrong"})
    assert not door.lets(peer, {"authorization": "Basic right"})
    assert door.lets(peer, {"authorization": "bearer right"})


def test_without_a_token_nobody_else_comes_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("UNDERSTUDY_METRICS_TOKEN", raising=False)
    for given in ("Bearer ", "Bearer", "", "bearer  "):
        assert not MetricsDoor().lets("192.0.2.7", {"authorization": given})


def test_the_token_of_a_state_directory_is_its_owners_alone(
    state_dir: StateDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("UNDERSTUDY_METRICS_TOKEN", raising=False)
    state_dir.run.mkdir()
    token = metrics_token(state_dir)
    assert len(token) > 30
    assert token == metrics_token(state_dir)
    assert stat.S_IMODE(state_dir.metrics_token.stat().st_mode) == 0o600
    assert metrics_door(state_dir).lets("192.0.2.7", {"authorization": f"Bearer {token}"})
    monkeypatch.setenv("UNDERSTUDY_METRICS_TOKEN", "given")
    assert metrics_token(state_dir) == "given"


def test_a_name_is_no_address() -> None:
    assert not is_loopback("testclient")
    assert is_loopback("::1%lo")
