"""The controller as it is built for a state directory lets the sums of versions go whose weights went long ago."""

from __future__ import annotations

import time

import pytest

from deploy.control.retention import prune
from deploy.registry.config import RegistryConfig
from deploy.registry.store import Registry
from feedback.kpis.config import KpisConfig
from feedback.store.config import RedisConfig
from serving.control.sources import Sources
from serving.controller import build
from tests.deploy.fleet import register
from understudy.config import Config
from understudy.state import StateDir

DAY = 86_400.0


def test_sums_go_when_no_feedback_can_come_any_more(
    state_dir: StateDir, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[list[str]] = []

    def forget(_: Sources, versions: list[str]) -> list[str]:
        asked.append(versions)
        return versions

    monkeypatch.setattr(Sources, "forget_versions", forget)
    for name in ("a", "b"):
        register(state_dir, name)
    gone = register(state_dir, "c")
    Registry(state_dir).archive(gone)
    days = {"at": KpisConfig().late_days - 1.0}
    for late in (False, True):
        conductor, _ = build(Config({}), state_dir, RedisConfig(url=redis_url))
        prune(conductor.deployment, RegistryConfig(keep_archived=0))
        days["at"] += 2.0 if late else 0.0
        conductor.deployment.clock = lambda: time.time() + days["at"] * DAY
        conductor.tick()
    assert asked == [[gone]]
